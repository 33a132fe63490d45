package host

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"molo/certificate"
	"molo/internal/facts"
	"molo/internal/resource"
	"molo/nginx"
)

// keptPairs is how many of a site's certificates are kept besides the one in use.
const keptPairs = 2

// install makes a certificate and its key the ones of a site. Both are in a directory of
// their own, named after the certificate, and nginx is told the names in there: at no
// moment does it see one without the other.
func (h *Host) install(site, leaf string, chain, key []byte, ordered facts.Ordered) error {
	order, err := json.MarshalIndent(ordered, "", "  ")
	if err != nil {
		return err
	}
	dir := h.path(filepath.Join(certificate.Pairs, site))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writePair(filepath.Join(dir, certificate.ID(leaf)), map[string][]byte{
		certificate.ChainFile: chain, certificate.KeyFile: key, orderFile: order,
	}); err != nil {
		return err
	}
	if err := pointTo(dir, certificate.ID(leaf)); err != nil {
		return err
	}
	return h.prunePairs(site)
}

// roomFile keeps the space that a certificate will need, from before it is ordered until it
// is written: an authority counts those that had no place too. It holds what no file
// system makes smaller.
const (
	roomFile = ".room"
	roomSize = 64 << 10
)

func (h *Host) roomPath(site string) string {
	return h.path(filepath.Join(certificate.Pairs, site, roomFile))
}

func (h *Host) makeRoom(site string) error {
	if err := os.MkdirAll(filepath.Dir(h.roomPath(site)), 0o700); err != nil {
		return err
	}
	if err := h.clearRoom(site); err != nil { // of a run that was killed
		return err
	}
	space := make([]byte, roomSize)
	rand.Read(space)
	if err := writeSynced(h.roomPath(site), space, 0o600); err != nil {
		return errors.Join(err, h.clearRoom(site))
	}
	return nil
}

func (h *Host) clearRoom(site string) error { return discard(h.roomPath(site)) }

// writePair writes files that only root can read, all of them or none.
func writePair(dir string, files map[string][]byte) error {
	staged := dir + ".tmp"
	if err := os.RemoveAll(staged); err != nil {
		return err
	}
	if err := os.Mkdir(staged, 0o700); err != nil {
		return err
	}
	for name, data := range files {
		if err := writeSynced(filepath.Join(staged, name), data, 0o600); err != nil {
			return err
		}
	}
	if err := syncDir(staged); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil { // the same certificate, from a run that died
		return err
	}
	if err := os.Rename(staged, dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// prunePairs removes a site's old certificates, but for the newest ones and any that
// nginx's live configuration names: nginx would not start again without them.
func (h *Host) prunePairs(site string) error {
	dir := filepath.Join(certificate.Pairs, site)
	entries, err := os.ReadDir(h.path(dir))
	if err != nil {
		return err
	}
	live, err := h.readTree(nginx.Dir)
	if err != nil {
		return err
	}
	inUse, err := os.Readlink(h.path(filepath.Join(dir, certificate.Current)))
	if err != nil {
		return err
	}
	age := map[string]time.Time{}
	var old []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || e.Name() == inUse || mentions(live, filepath.Join(dir, e.Name())+"/") {
			continue
		}
		age[e.Name()] = info.ModTime()
		old = append(old, e.Name())
	}
	slices.SortFunc(old, func(a, b string) int { return age[b].Compare(age[a]) })
	for _, name := range old[min(len(old), keptPairs):] {
		if err := os.RemoveAll(h.path(filepath.Join(dir, name))); err != nil {
			return err
		}
	}
	return nil
}

// mentions reports whether a tree has a text in any of its files.
func mentions(tree resource.Resource, text string) bool {
	t, _ := tree.(resource.Tree)
	for _, content := range t.Files {
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

// removeCertificate takes away what was ordered for a site that is gone.
func (h *Host) removeCertificate(site string) error {
	dir := filepath.Join(certificate.Pairs, site)
	live, err := h.readTree(nginx.Dir)
	if err != nil {
		return err
	}
	if mentions(live, dir+"/") {
		return fmt.Errorf("removing the certificate of %s: nginx still uses it", site)
	}
	if err := os.RemoveAll(h.path(dir)); err != nil {
		return fmt.Errorf("removing the certificate of %s: %w", site, err)
	}
	return syncDir(h.path(certificate.Pairs))
}

// notes writes what molo remembers about ordering for a site.
func (h *Host) writeNote(site, file string, value any) error {
	return h.writeJSON(h.path(filepath.Join(certificate.Pairs, site, file)), value)
}

// forgetNote removes such a note.
func (h *Host) forgetNote(site, file string) error {
	if err := discard(h.path(filepath.Join(certificate.Pairs, site, file))); err != nil {
		return fmt.Errorf("forgetting %s of %s: %w", file, site, err)
	}
	return nil
}
