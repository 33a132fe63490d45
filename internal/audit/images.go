package audit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"molo/internal/facts"
)

// imageChecks are about the images on the host.
func imageChecks() []check {
	all := []check{
		{
			slug: "image-health-check", title: "Images bring a health check", level: Info, cis: []string{"4.6"},
			want: "HEALTHCHECK", fix: "HEALTHCHECK in the Dockerfile",
			judge: eachImage(func(i facts.Image) verdict { return either(i.HealthCheck, "", "none") }),
		},
		{
			slug: "image-secrets", title: "Images hold no secrets in their environment", level: Recommended, cis: []string{"4.10"},
			want: "no variable with the name of a secret and a value", fix: "give it to the container as a file, and to the build with --secret; then change the secret",
			judge: eachImage(secrets),
		},
		{
			slug: "image-unused", title: "Most images are in use", level: Info, cis: []string{"6.1"},
			want: "at least half of them", fix: "docker image prune --all, once nobody needs them",
			judge: unused,
		},
	}
	return inArea(all, AreaImages, facts.FromEngine)
}

// eachImage makes a judge of one that looks at an image.
func eachImage(judge func(facts.Image) verdict) func(*view) []verdict {
	return func(v *view) []verdict {
		var all []verdict
		for _, i := range v.Facts.Engine.Images {
			one := unknown("", "the Docker Engine API: "+i.Unread)
			if i.Unread == "" {
				one = judge(i)
			}
			one.where, one.subject = imageName(i), subject{images: append(slices.Clone(i.Tags), i.ID), labels: i.Labels}
			if one.status == Pass {
				one.where, one.got = "", count(len(v.Facts.Engine.Images), "image")
			}
			all = append(all, one)
		}
		if all == nil {
			return []verdict{notApplicable("there are no images")}
		}
		return all
	}
}

// imageName is what people call an image, or the start of its ID.
func imageName(i facts.Image) string {
	if len(i.Tags) > 0 {
		return i.Tags[0]
	}
	id := strings.TrimPrefix(i.ID, "sha256:")
	return id[:min(12, len(id))]
}

// secrets goes by names: values are never read.
func secrets(i facts.Image) verdict {
	secret := regexp.MustCompile(`(?i)(PASSWORD|PASSWD|SECRET|TOKEN|(API|ACCESS|PRIVATE)_?KEY|CREDENTIALS?)$`)
	var names []string
	for _, name := range i.Environment {
		if secret.MatchString(name) {
			names = append(names, name)
		}
	}
	return either(len(names) == 0, "", "sets "+strings.Join(names, ", "))
}

func unused(v *view) []verdict {
	images := v.Facts.Engine.Images
	if len(images) == 0 {
		return []verdict{notApplicable("there are no images")}
	}
	used := len(images) - len(slices.DeleteFunc(slices.Clone(images), func(i facts.Image) bool { return i.Used }))
	return []verdict{either(2*used >= len(images), "", fmt.Sprintf("%d of %s in use", used, count(len(images), "image")))}
}
