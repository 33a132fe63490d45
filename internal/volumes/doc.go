// Package volumes decides how the data of Docker's volumes, and of directories that
// containers mount, follows dockerd into a user namespace and back: which data root
// it moves to, which owners it gets, and what is refused. It takes what package host
// has read, and returns what is to be done.
package volumes
