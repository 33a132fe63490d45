# The policy of the machines that Vagrant makes.
docker {}
firewall {}
