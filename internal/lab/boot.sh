# The first process of a host: builds its file system around itself and becomes systemd.
# $1 the host's directory, $2 its release's root file system, $3 the id of this boot
set -eu
umask 022
read -r _ # the lab plugs the network in first; end of file means that it is gone
mount --make-rprivate /
cd "$1"
mount -t overlay overlay -o "lowerdir=$2,upperdir=upper,workdir=work" root

# Docker stacks an overlay of its own, which cannot stand on this one.
mkdir -p root/var/lib/docker root/var/lib/containerd
mount --bind docker root/var/lib/docker
mount --bind containerd root/var/lib/containerd

mount -t proc -o nosuid,nodev,noexec proc root/proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs root/sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 root/sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs root/run
mount -t tmpfs -o mode=755,nosuid tmpfs root/dev
mkdir root/dev/net root/dev/pts root/dev/shm root/dev/mqueue
for d in null zero full random urandom tty net/tun; do
    [ -e "/dev/$d" ] || continue
    : >"root/dev/$d"
    mount --bind "/dev/$d" "root/dev/$d"
done
ln -s /proc/self/fd root/dev/fd
ln -s fd/0 root/dev/stdin
ln -s fd/1 root/dev/stdout
ln -s fd/2 root/dev/stderr
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
mount -t tmpfs -o nosuid,nodev tmpfs root/dev/shm

# The kernel lets a user namespace mount proc and sysfs only if one is in sight that nothing is mounted over (fs/namespace.c,
# mnt_already_visible). Docker's userns-remap needs that; LXC has the same two for the same reason.
mkdir -p root/dev/.lab/proc root/dev/.lab/sys
mount -t proc -o nosuid,nodev,noexec proc root/dev/.lab/proc
mount -t sysfs -o nosuid,nodev,noexec sysfs root/dev/.lab/sys

# Settings that belong to no namespace are the machine's: the host gets a copy of its own to read and write.
for d in root/proc/sys/*; do
    d=${d##*/}
    [ "$d" != net ] || continue
    mount -t tmpfs -o mode=555,nosuid,nodev,noexec tmpfs "root/proc/sys/$d"
    cp -rx --preserve=mode "/proc/sys/$d/." "root/proc/sys/$d/" 2>/dev/null || true # some can only be written
done
rmdir root/proc/sys/fs/binfmt_misc 2>/dev/null || true
for f in kernel/hostname kernel/domainname kernel/random/uuid; do
    mount --bind "root/dev/.lab/proc/sys/$f" "root/proc/sys/$f"
done
echo "$3" >root/proc/sys/kernel/random/boot_id
# systemd 252 mounts a proc of its own for a service that asks for one of these (MountAPIVFS): the machine's settings again.
case $2 in *bookworm*)
    mkdir -p root/run/systemd/system/service.d
    printf '[Service]\nProtectControlGroups=no\nProtectKernelTunables=no\n' >root/run/systemd/system/service.d/lab.conf ;;
esac
if [ -e root/proc/sysrq-trigger ]; then mount --bind /dev/null root/proc/sysrq-trigger; fi

cd root
pivot_root . .
umount -l .
# Descriptor 3 closes here: the lab now knows that what it starts in these namespaces sees the host's files.
exec chroot . /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=lab /sbin/init </dev/null 3>&-
