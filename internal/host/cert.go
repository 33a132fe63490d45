package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/nginx"
	"molo/provision"
)

// The files that molo keeps beside a site's certificates, and in the directory of one.
const (
	orderFile   = "order.json"   // facts.Ordered
	renewalFile = "renewal.json" // facts.Renewal
	failureFile = "failure.json" // facts.Failure
)

// TLS reads the owner's files that the sites name, everything that was ordered, and how
// the live tree serves its sites. Private keys are read here and go
// no further than the digest of their public half.
func (h *Host) TLS(_ context.Context, wants []certificate.Want) (facts.TLS, []facts.Unread, error) {
	t := facts.TLS{Files: map[string]facts.Certificate{}, ClientCAs: map[string]facts.CertFile{}}
	var unread []facts.Unread
	hidden := func(what string, err error, parts ...string) {
		t.Blind = true
		for _, part := range parts {
			unread = append(unread, unreadable(what, part, err))
		}
	}
	var err error
	switch t.Ordered, err = h.ordered(); {
	case err != nil && !errors.Is(err, fs.ErrPermission):
		return t, nil, err
	case err != nil && slices.ContainsFunc(wants, func(w certificate.Want) bool { return w.Directory != "" }):
		hidden(certificate.Dir, err, provision.PartNginx, provision.PartCertificates)
	}
	for _, w := range wants {
		if err := h.ownersFiles(w, &t); err != nil {
			hidden("the certificate of "+w.Site, err, provision.PartNginx)
		}
	}
	if len(wants)+len(t.Ordered) == 0 {
		return t, unread, nil
	}
	if t.Live, err = h.served(); err != nil {
		return t, nil, err
	}
	return t, unread, nil
}

// ownersFiles reads the files that one site names. The error is for those that may not
// be read; whatever else is wrong with them is a fact.
func (h *Host) ownersFiles(w certificate.Want, t *facts.TLS) error {
	if w.ClientCA != "" {
		file, err := h.readCertificates(w.ClientCA)
		if err != nil {
			return err
		}
		t.ClientCAs[w.ClientCA] = file
	}
	if w.Chain == "" {
		return nil
	}
	pair, err := h.readPair(w.Chain, w.Key)
	t.Files[w.Site] = pair
	return err
}

// served says how the sites of the live tree are served.
func (h *Host) served() (map[string]facts.Served, error) {
	live, err := h.readTree(nginx.Dir)
	if err != nil {
		return nil, err
	}
	tree, _ := live.(resource.Tree)
	return nginx.ServedBy(tree.Files), nil
}

// ordered reads what was ordered, for each site that has a directory.
func (h *Host) ordered() (map[string]facts.Certificate, error) {
	entries, err := os.ReadDir(h.path(certificate.Pairs))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", certificate.Pairs, err)
	}
	all := map[string]facts.Certificate{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if all[e.Name()], err = h.orderedFor(e.Name()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// orderedFor reads what was ordered for one site. Notes that can't be read count as
// none: they explain and put off, and what they put off is tried once more.
func (h *Host) orderedFor(site string) (facts.Certificate, error) {
	dir := filepath.Join(certificate.Pairs, site)
	var c facts.Certificate
	if id, err := os.Readlink(h.path(filepath.Join(dir, certificate.Current))); err == nil {
		own := filepath.Join(dir, filepath.Base(id))
		if c, err = h.readPair(filepath.Join(own, certificate.ChainFile), filepath.Join(own, certificate.KeyFile)); err != nil {
			return c, err
		}
		c.Ordered = note[facts.Ordered](h, filepath.Join(own, orderFile))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("reading %s: %w", dir, err)
	}
	c.Renewal = note[facts.Renewal](h, filepath.Join(dir, renewalFile))
	c.Failure = note[facts.Failure](h, filepath.Join(dir, failureFile))
	return c, nil
}

// note reads one of molo's own notes; nil is none. (Generic, because the notes differ in
// nothing but their type.)
func note[T any](h *Host, path string) *T {
	value := new(T)
	err := readJSON(h.path(path), value)
	if err == nil {
		return value
	}
	if !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("a note about a certificate can't be read and counts as none", "why", err)
	}
	return nil
}

// readPair reads a chain and its key, which may be one file.
func (h *Host) readPair(chain, key string) (facts.Certificate, error) {
	c := facts.Certificate{ChainPath: chain, KeyPath: key}
	var err error
	if c.Chain, err = h.readCertificates(chain); err != nil {
		return c, err
	}
	data, mode, problem, err := h.readPEM(key)
	if err != nil {
		return c, err
	}
	if c.Key = certificate.ReadKey(data); problem != "" {
		c.Key = facts.Key{Problem: problem}
	}
	c.Key.Mode = mode
	return c, nil
}

// readCertificates reads a file of certificates.
func (h *Host) readCertificates(path string) (facts.CertFile, error) {
	data, _, problem, err := h.readPEM(path)
	if err != nil || problem != "" {
		return facts.CertFile{Problem: problem}, err
	}
	return certificate.ReadChain(data), nil
}

// readPEM reads a file that the owner may have named by mistake: it must be a regular
// one, and no more of it is read than certificates take. The error is for a file that
// may not be read.
func (h *Host) readPEM(path string) (data []byte, mode fs.FileMode, problem string, err error) {
	info, err := os.Stat(h.path(path))
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, 0, "", err
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, "there is no such file", nil
	case err != nil:
		return nil, 0, strings.TrimPrefix(err.Error(), "stat "+h.path(path)+": "), nil
	case !info.Mode().IsRegular():
		return nil, 0, "it is not a regular file", nil
	}
	f, err := os.Open(h.path(path))
	if err != nil {
		return nil, 0, "", err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, certificate.MaxFile+1))
	return data, info.Mode().Perm(), "", err
}

// readCertificate reads the certificate that is served for a site, as a resource.
func (h *Host) readCertificate(site string) (resource.Resource, error) {
	c, err := h.orderedFor(site)
	if err != nil {
		return nil, err
	}
	pair, err := certificate.NewPair(c)
	if err != nil {
		return nil, nil // as good as none
	}
	out := resource.Certificate{Site: site, Leaf: pair.Digest()}
	if o := c.Ordered; o != nil {
		out.Names, out.KeyType, out.Directory, out.Profile = o.Names, o.KeyType, o.Directory, o.Profile
	}
	return out, nil
}
