// Package daemonjson knows what dockerd takes in /etc/docker/daemon.json: the table
// of all keys ([Keys]), and what a file would do to a given engine ([Check]).
//
// dockerd's own check is not enough. Docker 20.10 has none, and --validate of later
// engines passes files of which the daemon dies, or with which it starts and then
// can't start a container; with userns-remap it creates users besides. What is said
// here is therefore measured: testdata/matrix holds files and what real daemons of
// three releases made of them, and the tests hold Check to it. Engines in between
// are as their source says.
package daemonjson
