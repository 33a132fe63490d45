package main

import (
	"strings"
	"testing"
)

// mess is what hands that meant well, or did not, leave of Docker's files.
const mess = `
mkdir -p /etc/docker/certs.d/registry:5000 /etc/systemd/system/docker.service.d
touch /etc/docker/certs.d/registry:5000/ca.crt /etc/docker/certs.d/registry:5000/client.key
printf '[Service]\n' >/etc/systemd/system/docker.service.d/own.conf
mv /etc/default/docker /etc/default/docker.real && ln -s docker.real /etc/default/docker
chmod 2777 /etc/docker
chmod 666 /etc/docker/daemon.json /etc/docker/certs.d/registry:5000/client.key /usr/lib/systemd/system/docker.service
chown nobody:users /etc/docker/daemon.json /etc/default/docker.real /etc/systemd/system/docker.service.d
chown 4242:4242 /etc/docker/certs.d/registry:5000
chmod 4755 /usr/lib/systemd/system/docker.socket
chmod 666 /run/docker.sock
chgrp docker /run/containerd/containerd.sock
chmod 600 /etc/containerd/config.toml
`

// rights prints who may use Docker's files.
const rights = `find -H /etc/docker /etc/default/docker /etc/default/docker.real /etc/containerd /etc/systemd/system/docker.service.d \
	/usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket /usr/lib/systemd/system/containerd.service \
	/run/docker.sock /run/containerd/containerd.sock /run/containerd/containerd.sock.ttrpc -printf '%p %u:%g %m\n' | grep -v key.json | sort -u`

func TestDockersFilesAreGuarded(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh(mess)
		before := w.sh(rights)
		w.policy("docker {}\n")
		w.holds("the plan", w.molo(0, "plan").Stdout, "~ /etc/docker: root:root 2777 -> root:root 0755", "~ /run/docker.sock: root:docker 0666 -> root:docker 0660")
		w.molo(0, "apply")
		w.same("the rights", strings.TrimLeft(`
/etc/containerd root:root 755
/etc/containerd/config.toml root:root 600
/etc/default/docker root:root 644
/etc/default/docker.real root:root 644
/etc/docker root:root 755
/etc/docker/certs.d root:root 755
/etc/docker/certs.d/registry:5000 root:root 755
/etc/docker/certs.d/registry:5000/ca.crt root:root 444
/etc/docker/certs.d/registry:5000/client.key root:root 400
/etc/docker/daemon.json root:root 644
/etc/systemd/system/docker.service.d root:root 755
/etc/systemd/system/docker.service.d/own.conf root:root 644
/run/containerd/containerd.sock root:root 660
/run/containerd/containerd.sock.ttrpc root:root 660
/run/docker.sock root:docker 660
/usr/lib/systemd/system/containerd.service root:root 644
/usr/lib/systemd/system/docker.service root:root 644
/usr/lib/systemd/system/docker.socket root:root 644
`, "\n"), w.sh(rights))
		w.sh("docker run --rm --entrypoint /server server:1 -dial 127.0.0.1:1 || test $? -ne 125") // dockerd still takes orders
		w.settled()

		w.sh("chmod 666 /etc/docker/daemon.json; chown nobody /run/docker.sock")
		w.holds("an apply after the hands", w.molo(0, "apply").Stdout,
			"~ /etc/docker/daemon.json: root:root 0666 -> root:root 0644  # policies.hcl:1, drift", "~ /run/docker.sock: nobody:docker 0660 -> root:docker 0660  # policies.hcl:1, drift")
		w.settled()

		w.molo(0, "uninstall", "--yes")
		w.same("the rights after an uninstall", before, w.sh(rights))
	})
}

func TestALinkOfSomebodyElsesIsNotFollowed(t *testing.T) {
	everyRelease(t, func(w *world) {
		w.sh("cp /etc/containerd/config.toml /home/config.toml && chmod 666 /home/config.toml && ln -sf /home/config.toml /etc/containerd/config.toml && chown -h nobody /etc/containerd/config.toml; chmod 666 /etc/default/docker")
		w.policy("docker {}\n")
		w.holds("an apply", w.molo(1, "apply").Stdout, "/etc/containerd/config.toml is root:root 0666, not root:root 0644, and can't be changed safely: /etc/containerd/config.toml belongs to user 65534")
		w.same("who may use what the link leads to, and what it does not", "666\n644\n", w.sh("stat -c %a /home/config.toml /etc/default/docker"))
		w.sh("chown -h root /etc/containerd/config.toml")
		w.molo(0, "apply")
		w.same("the same once the link is root's", "644\n", w.sh("stat -c %a /home/config.toml"))
	})
}
