// Package lab runs real Debian hosts in Linux namespaces, for molo's integration tests and its demo.
//
// A host has systemd as PID 1, Docker, UFW, nginx, cloud-init, sshd and cron as Debian ships them, a disk of its own
// (an overlay on the root file system of its release), its own cgroup and its own network. A [Peer] is another machine
// on a cable to the host: real packets, IPv4 and IPv6. Nothing here touches the network, the firewall, the kernel
// settings or the services of the machine it runs on.
//
// A host dies with the process that booted it, however that ends; what it leaves on disk is swept by the next [Boot].
// A host booted with Options.Keep lives on, for [Open] to find.
//
// What is not like a real host: the kernel is the machine's; settings under /proc/sys that belong to the kernel as a
// whole (all but net) are a copy, which takes what is written and changes nothing; there is no udev, no audit and no
// module loading. A [VM] has all of that, and takes a minute or more to boot where a host takes two seconds.
//
// Everything lives in /var/tmp/molo-lab, or in the directory named by MOLO_LAB_HOME. Debian comes from the mirror that
// apt has on this machine, or from MOLO_LAB_MIRROR where that is not Debian's. The lab needs root.
package lab
