package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"molo/internal/lint"
)

const (
	// maxComposeFiles is how many files one compose file may draw in.
	maxComposeFiles = 64
	// composeTimeout ends the reading of a file that is made to take for ever.
	composeTimeout = 20 * time.Second
)

// ReadCompose reads a compose file and those that it includes, each by itself. They
// must be below its directory. Variables have the defaults that the file gives them;
// neither the environment nor any env_file is read.
func ReadCompose(ctx context.Context, name string) ([]lint.ComposeFile, error) {
	ctx, cancel := context.WithTimeout(ctx, composeTimeout)
	defer cancel()
	root, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err == nil {
		root, err = filepath.Abs(root)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the compose file: %w", err)
	}
	type result struct {
		files []lint.ComposeFile
		err   error
	}
	done := make(chan result, 1)
	go func() { // the loader knows no context
		c := composeReader{root: root, shown: map[string]string{}}
		err := c.read(ctx, []string{filepath.Join(root, filepath.Base(name))}, name)
		done <- result{c.files, err}
	}()
	select {
	case r := <-done:
		return r.files, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("reading %s: %w", name, context.Cause(ctx))
	}
}

// composeReader reads a compose file and what it includes.
type composeReader struct {
	root  string            // the directory that no file may be outside of
	shown map[string]string // by path: what a file is called
	files []lint.ComposeFile
}

// read reads one compose file: one text, or a text and others that are put over it.
func (c *composeReader) read(ctx context.Context, paths []string, shown string) error {
	if _, known := c.shown[paths[0]]; known {
		return nil // judged already, or includes itself
	}
	c.shown[paths[0]] = shown
	var sources []lint.Source
	var includes [][]string
	var configs []types.ConfigFile
	for _, path := range paths {
		all, err := c.sources(path)
		if err != nil {
			return err
		}
		sources = append(sources, all...)
		configs = append(configs, types.ConfigFile{Filename: path, Content: all[0].Data})
		includes = append(includes, included(all[0].Data)...)
	}
	project, err := c.load(ctx, configs)
	if err != nil {
		return fmt.Errorf("reading %s: %s", shown, lint.Redacted(err.Error(), sources))
	}
	c.files = append(c.files, lint.ComposeFile{Project: project, Sources: sources})
	for _, one := range includes {
		var next []string
		for _, path := range one {
			path, err := c.inside(filepath.Dir(paths[0]), path)
			if err != nil {
				return fmt.Errorf("reading %s: include: %w", shown, err)
			}
			next = append(next, path)
		}
		if len(next) == 0 {
			continue
		}
		if err := c.read(ctx, next, c.name(next[0])); err != nil {
			return err
		}
	}
	return nil
}

// name is what a file is called: its path from the directory of the compose file.
func (c *composeReader) name(path string) string {
	if shown, ok := c.shown[path]; ok {
		return shown
	}
	rel, err := filepath.Rel(c.root, path)
	if err != nil {
		return path
	}
	for first, shown := range c.shown {
		if filepath.Dir(first) == c.root {
			return filepath.Join(filepath.Dir(shown), rel)
		}
	}
	return rel
}

// sources returns a file, and the files whose services it extends.
func (c *composeReader) sources(path string) ([]lint.Source, error) {
	var all []lint.Source
	var seen []string
	for queue := []string{path}; len(queue) > 0; queue = queue[1:] {
		path := queue[0]
		if slices.Contains(seen, path) {
			continue
		}
		if seen = append(seen, path); len(seen)+len(c.files) > maxComposeFiles {
			return nil, fmt.Errorf("reading %s: more than %d files belong to it", c.name(seen[0]), maxComposeFiles)
		}
		data, err := ReadBounded(path)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", c.name(path), err)
		}
		all = append(all, lint.Source{Name: c.name(path), Data: data})
		for _, other := range extended(data) {
			next, err := c.inside(filepath.Dir(path), other)
			if err != nil {
				return nil, fmt.Errorf("reading %s: extends: %w", c.name(path), err)
			}
			queue = append(queue, next)
		}
	}
	return all, nil
}

// ReadBounded reads a regular file that is not longer than one to be linted may be.
func ReadBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, lint.MaxFile+1))
	if err == nil && len(data) > lint.MaxFile {
		err = errors.New("the file is longer than 1 MiB")
	}
	return data, err
}

var (
	errOutside = errors.New("it is outside of the compose file's directory")
	errMissing = errors.New("the file is not there")
)

// inside returns the path of a file that another names, with its links followed.
func (c *composeReader) inside(dir, name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", errMissing
	}
	if real != c.root && !strings.HasPrefix(real, strings.TrimSuffix(c.root, "/")+"/") {
		return "", errOutside
	}
	return real, nil
}

// load parses texts with the loader of docker compose.
func (c *composeReader) load(ctx context.Context, configs []types.ConfigFile) (*types.Project, error) {
	details := types.ConfigDetails{WorkingDir: filepath.Dir(configs[0].Filename), ConfigFiles: configs, Environment: types.Mapping{}}
	return loader.LoadWithContext(ctx, details, func(o *loader.Options) {
		o.SetProjectName("lint", true)
		o.SkipInclude, o.SkipResolveEnvironment, o.SkipResolveLabels, o.SkipConsistencyCheck = true, true, true, true
		o.ResolvePaths = false
		o.Profiles = []string{"*"}
		o.ResourceLoaders = []loader.ResourceLoader{outsider{c, details.WorkingDir}}
		o.Interpolate.Substitute = substitute
	})
}

// outsider refuses files whose names only the loader knows; it takes the others.
type outsider struct {
	reader *composeReader
	dir    string
}

// Accept takes a path over that the loader must not have. It is asked for paths that
// it is about to make relative to another directory as well: those need not be there.
func (o outsider) Accept(path string) bool {
	err := o.check(path)
	return err != nil && !errors.Is(err, errMissing)
}

func (o outsider) check(path string) error {
	real, err := o.reader.inside(o.dir, path)
	if err == nil {
		_, err = ReadBounded(real)
	}
	return err
}

// Load says why.
func (o outsider) Load(_ context.Context, path string) (string, error) { return "", o.check(path) }

// Dir is not asked for what is refused.
func (o outsider) Dir(string) string { return o.dir }

// substitute gives variables their defaults. One that must be set stands for 1, which
// is a port, a number and a name.
func substitute(text string, _ template.Mapping) (string, error) {
	with := func(value string, known bool) (string, error) {
		return template.SubstituteWithOptions(text, func(string) (string, bool) { return value, known }, template.WithoutLogging)
	}
	const maxVariables = 64
	if strings.Count(text, "$") > maxVariables {
		return "", fmt.Errorf("more than %d variables in one value", maxVariables)
	}
	value, err := with("", false)
	var missing *template.MissingRequiredError
	if errors.As(err, &missing) {
		return with("1", true)
	}
	return value, err
}

// included lists the files that a compose file includes. Each can be put over the one
// before it.
func included(data []byte) [][]string {
	var file struct {
		Include []yaml.Node `yaml:"include"`
	}
	if yaml.Unmarshal(data, &file) != nil {
		return nil // the loader says what is wrong with it
	}
	var all [][]string
	for _, node := range file.Include {
		var one string
		var long struct {
			Path yaml.Node `yaml:"path"`
		}
		var many []string
		switch {
		case node.Decode(&one) == nil:
			many = []string{one}
		case node.Decode(&long) == nil && long.Path.Decode(&one) == nil:
			many = []string{one}
		case long.Path.Decode(&many) != nil:
			continue
		}
		for i, name := range many {
			if name, err := substitute(name, nil); err == nil {
				many[i] = name
			}
		}
		all = append(all, many)
	}
	return all
}

// extended lists the files whose services those of a compose file extend.
func extended(data []byte) []string {
	var file struct {
		Services map[string]struct {
			Extends yaml.Node `yaml:"extends"`
		} `yaml:"services"`
	}
	if yaml.Unmarshal(data, &file) != nil {
		return nil // the loader says what is wrong with it
	}
	var all []string
	for _, s := range file.Services {
		var long struct {
			File string `yaml:"file"`
		}
		if s.Extends.Decode(&long) != nil || long.File == "" {
			continue
		}
		if name, err := substitute(long.File, nil); err == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
