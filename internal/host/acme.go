package host

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/provision"
)

// orderPatience bounds one order. An authority asks from several places of the world and
// may take its time with the certificate.
const orderPatience = 3 * time.Minute

// writeCertificates orders certificates one by one, and takes those away that are gone.
// One that can't be had keeps no other waiting, as long as the authority answers at all.
func (h *Host) writeCertificates(ctx context.Context, changes []provision.Change) error {
	authorities := authorities{host: h, known: map[string]*authority{}}
	var problems []error
	for _, c := range changes {
		want, ok := c.Want.(resource.Certificate)
		switch {
		case !ok:
			problems = append(problems, h.removeCertificate(c.ID.Where()))
		case want.Leaf == "":
			problems = append(problems, h.order(ctx, authorities, want))
		}
	}
	return errors.Join(problems...)
}

// order orders one certificate and installs it, or notes that it could not be had and
// when to try again.
func (h *Host) order(ctx context.Context, all authorities, want resource.Certificate) error {
	if err := h.answersChallenges(ctx, want.Names, want.ProxyProtocol); err != nil {
		return fmt.Errorf("%s: not ordered: %w", want.Site, err) // no authority was asked: nothing to wait for
	}
	have, err := h.orderedFor(want.Site)
	if err != nil {
		return fmt.Errorf("%s: %w", want.Site, err)
	}
	a := all.of(want)
	if a.limited != nil {
		return fmt.Errorf("%s: not ordered in this run, since %w", want.Site, a.limited)
	}
	if err := h.makeRoom(want.Site); err != nil {
		return fmt.Errorf("%s: not ordered, since it could not be kept: %w\nhint: make room (df -h %s)", want.Site, err, certificate.Pairs)
	}
	if err := h.writeNote(want.Site, failureFile, certificate.Begun(have.Failure, h.now())); err != nil {
		err = errors.Join(err, h.clearRoom(want.Site))
		return fmt.Errorf("%s: not ordered, since what comes of it could not be noted: %w\nhint: make room (df -h %s)", want.Site, err, certificate.Pairs)
	}
	err = h.orderFrom(ctx, a, want, have)
	if err == nil {
		return h.forgetNote(want.Site, failureFile)
	}
	return fmt.Errorf("%s: %w", want.Site, h.noteFailure(ctx, a, want.Site, have.Failure, err))
}

// noteFailure notes why an order failed and when to try again. Somebody who gives up has
// found out nothing: what was noted before holds again.
func (h *Host) noteFailure(ctx context.Context, a *authority, site string, before *facts.Failure, err error) error {
	err = errors.Join(explained(err), h.clearRoom(site))
	switch {
	case ctx.Err() == nil:
		return errors.Join(err, h.writeNote(site, failureFile, certificate.Failed(before, h.now(), a.limit(), err.Error())))
	case before == nil:
		return errors.Join(err, h.forgetNote(site, failureFile))
	}
	return errors.Join(err, h.writeNote(site, failureFile, *before))
}

// orderFrom has an authority issue a certificate, and puts it in place if this host can
// use it.
func (h *Host) orderFrom(ctx context.Context, a *authority, want resource.Certificate, have facts.Certificate) error {
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	if err := a.open(ctx); err != nil {
		return err
	}
	key, err := newKey(want.KeyType)
	if err != nil {
		return err
	}
	issued, err := a.issue(ctx, want, key, have)
	if err != nil {
		return err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return err
	}
	ordered := facts.Ordered{Directory: want.Directory, Profile: want.Profile, KeyType: want.KeyType, Names: want.Names}
	pair := facts.Certificate{
		ChainPath: "the certificate", KeyPath: "the key", Ordered: &ordered,
		Chain: certificate.ReadChain(issued.ChainPEM), Key: certificate.ReadKey(encoded),
	}
	if err := certificate.Usable(pair, h.now()); err != nil {
		return fmt.Errorf("the authority issued a certificate that can't be used: %w", err)
	}
	usable, err := certificate.NewPair(pair)
	if err != nil {
		return err
	}
	if err := h.clearRoom(want.Site); err != nil {
		return err
	}
	if err := h.install(want.Site, usable.Digest(), []byte(pair.Chain.PEM), encoded, ordered); err != nil {
		return fmt.Errorf("installing the certificate: %w", err)
	}
	return h.writeNote(want.Site, renewalFile, h.firstRenewal(usable.Digest(), issued.RenewalInfo))
}

// firstRenewal notes what the authority said about renewal when it issued a certificate.
func (h *Host) firstRenewal(leaf string, said *acme.RenewalInfo) facts.Renewal {
	r := facts.Renewal{Leaf: leaf}
	var next time.Time
	if said != nil {
		r.Start, r.End = said.SuggestedWindow.Start, said.SuggestedWindow.End
		if said.RetryAfter != nil {
			next = *said.RetryAfter
		}
	}
	return certificate.First(r, h.now(), next)
}

// issue goes through the protocol once, and a second time where the authority does not
// know this account any more, or does not take the new certificate for a renewal.
func (a *authority) issue(ctx context.Context, want resource.Certificate, key crypto.Signer, have facts.Certificate) (acme.Certificate, error) {
	csr, err := acmez.NewCSR(key, want.Names)
	if err != nil {
		return acme.Certificate{}, fmt.Errorf("asking for the certificate: %w", err)
	}
	params, err := acmez.OrderParametersFromCSR(a.account, csr)
	if err != nil {
		return acme.Certificate{}, fmt.Errorf("asking for the certificate: %w", err)
	}
	params.Profile = want.Profile
	if pair, err := certificate.NewPair(have); err == nil && a.renews && have.Ordered != nil && have.Ordered.Directory == want.Directory {
		params.Replaces = pair.Leaf()
	}
	chains, err := a.client.ObtainCertificate(ctx, params)
	switch problem := (acme.Problem{}); {
	case !errors.As(err, &problem):
	case problem.Type == acme.ProblemTypeAccountDoesNotExist:
		if err := a.register(ctx); err != nil {
			return acme.Certificate{}, err
		}
		params.Account = a.account
		chains, err = a.client.ObtainCertificate(ctx, params)
	case params.Replaces != nil && problem.Resource == nil && problem.Type != acme.ProblemTypeRateLimited:
		params.Replaces = nil
		chains, err = a.client.ObtainCertificate(ctx, params)
	}
	if err != nil {
		return acme.Certificate{}, a.note(err)
	}
	if len(chains) == 0 {
		return acme.Certificate{}, errors.New("the authority issued nothing")
	}
	return chains[0], nil
}

// newKey makes the private key of a certificate.
func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "ecdsa-p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "rsa-2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	case "rsa-3072":
		return rsa.GenerateKey(rand.Reader, 3072)
	case "rsa-4096":
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("unknown kind of key %q", kind)
}

// encodeKey writes a private key as PEM.
func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
