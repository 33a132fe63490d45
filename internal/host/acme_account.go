package host

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mholt/acmez/v3/acme"

	"molo/certificate"
)

// account is what molo keeps of an account besides its key.
type account struct {
	Directory string `json:"directory"`
	Location  string `json:"location"` // what the authority calls it
	Email     string `json:"email,omitempty"`
	KeyID     string `json:"key_id,omitempty"`
}

// accountDir holds the key of an account and what the authority said about it.
func (a *authority) accountDir() string {
	return a.host.path(filepath.Join(certificate.Dir, "accounts", accountID(a.want)))
}

// loadAccount takes the account of earlier runs, or registers one.
func (a *authority) loadAccount(ctx context.Context) error {
	key, err := a.accountKey()
	if err != nil {
		return err
	}
	var kept account
	err = readJSON(filepath.Join(a.accountDir(), "account.json"), &kept)
	if err == nil && strings.HasPrefix(kept.Location, "https://") && kept.Directory == a.want.Directory {
		a.account = acme.Account{Status: acme.StatusValid, Location: kept.Location, PrivateKey: key}
		return nil
	}
	a.account = acme.Account{PrivateKey: key}
	return a.register(ctx)
}

// register makes an account of the key with the authority. Where there is one already,
// because a run died before it could note that, the authority returns it.
func (a *authority) register(ctx context.Context) error {
	fresh := acme.Account{TermsOfServiceAgreed: true, PrivateKey: a.account.PrivateKey}
	if a.want.Email != "" {
		fresh.Contact = []string{"mailto:" + a.want.Email}
	}
	if a.want.KeyID != "" {
		secret, err := a.host.readSecret(a.want.KeyFile)
		if err != nil {
			return err
		}
		if err := fresh.SetExternalAccountBinding(ctx, a.client.Client, acme.EAB{KeyID: a.want.KeyID, MACKey: secret}); err != nil {
			return fmt.Errorf("binding the external account: %s does not hold a key in base64url", a.want.KeyFile)
		}
	}
	registered, err := a.client.NewAccount(ctx, fresh)
	if err != nil {
		return fmt.Errorf("registering an account: %w", err)
	}
	if registered.Status != acme.StatusValid {
		return fmt.Errorf("registering an account: the authority calls it %s", plain(registered.Status))
	}
	a.account = registered
	return a.host.writeJSON(filepath.Join(a.accountDir(), "account.json"), account{
		Directory: a.want.Directory, Location: registered.Location, Email: a.want.Email, KeyID: a.want.KeyID,
	})
}

// accountKey reads the account's key, or makes one. One that can't be read is put aside:
// an account is made in a moment.
func (a *authority) accountKey() (crypto.Signer, error) {
	path := filepath.Join(a.accountDir(), "key.pem")
	data, err := os.ReadFile(path)
	if err == nil {
		key, parseErr := certificate.ParseKey(data)
		if parseErr == nil {
			return key, nil
		}
		a.host.log.Warn("a new account is registered, since the key of the old one can't be read", "path", path, "why", parseErr)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the account's key: %w", err)
	}
	key, err := newKey("ecdsa-p256")
	if err != nil {
		return nil, err
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.accountDir(), 0o700); err != nil {
		return nil, fmt.Errorf("writing the account's key: %w", err)
	}
	if err := discard(filepath.Join(a.accountDir(), "account.json")); err != nil {
		return nil, fmt.Errorf("writing the account's key: %w", err)
	}
	return key, replace(path, encoded, 0o600, false)
}

// readSecret reads the key of an external account, without padding and line ends.
func (h *Host) readSecret(path string) (string, error) {
	data, mode, problem, err := h.readPEM(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading %s: %w", path, err)
	case problem != "":
		return "", fmt.Errorf("%s: %s", path, problem)
	case mode&0o027 != 0:
		return "", fmt.Errorf("%s: others than root may read or change the key (mode %04o)\nhint: chmod 0600 %s", path, mode, path)
	}
	return strings.TrimRight(strings.TrimSpace(string(data)), "="), nil
}
