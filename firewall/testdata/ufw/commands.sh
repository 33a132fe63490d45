# ufw 0.36.2 made the files in this directory by these commands, byte for byte the
# same on Debian 12, 13 and forky. 10.0.0.1/255.0.255.0 is a mask that no prefix can say.
ufw default deny incoming
ufw default allow outgoing
ufw allow 22/tcp
ufw allow 8080/tcp comment 'the shop, until 2027'
ufw allow 53
ufw deny from 203.0.113.66
ufw allow from 192.0.2.0/24 to any port 9100 proto tcp
ufw allow from 2001:db8:9::/48 to any port 9100 proto tcp
ufw allow to 203.0.113.2 port 8443 proto tcp
ufw allow proto tcp to any port 80,443,7000:7010
ufw allow 6000:6010/udp
ufw allow in on eth1 to any port 8081 proto tcp
ufw reject 25/tcp
ufw reject 8025
ufw limit 2222/tcp
ufw allow log 2223/tcp
ufw deny log-all 2224/tcp
ufw limit log 2225/tcp
ufw allow 'Nginx Full'
ufw allow OpenSSH
ufw allow from 192.0.2.7 port 1024:2048 to any port 1812 proto udp
ufw allow from any app OpenSSH to any app 'Nginx HTTP'
ufw allow proto gre from 198.51.100.1
ufw allow proto esp from any
ufw allow proto ah from any
ufw allow proto igmp from any
ufw allow proto ipv6 from any
ufw allow proto vrrp from any
ufw allow from 10.8.0.0/16
ufw allow in on wg0
ufw deny out 25/tcp
ufw allow out on eth0 to any port 53
ufw route allow proto tcp from 203.0.113.0/24 to 172.30.0.5 port 80
ufw route allow in on eth0 out on docker0 to 172.17.0.9 port 9000 proto tcp
ufw route deny in on eth1
ufw route allow out on docker0 from 2001:db8:9::5
ufw route reject log from 198.51.100.9 to any port 443 proto tcp
ufw insert 1 deny from 198.51.100.99 to any port 8080 proto tcp
ufw allow from 10.0.0.1/255.0.255.0 to any port 4000 proto tcp
ufw --force enable
