package daemonjson

// networkKeys lists the keys about networks of all kinds.
func networkKeys() []Key {
	return []Key{
		{Name: "allow-direct-routing", Type: boolean(), First: Version{28, 2}, Default: "false", Effect: ByRestart, Flags: []string{"allow-direct-routing"}},
		{Name: "bridge-accept-fwmark", Type: text(), First: Version{29, 0}, Default: `""`, Effect: ByRestart, Flags: []string{"bridge-accept-fwmark"}},
		{Name: "default-address-pools", Type: list(object(Field{"base", text()}, Field{"size", whole()})), First: Version{18, 6}, Effect: NewNetworks, Flags: []string{"default-address-pool"}},
		{Name: "default-network-opts", Type: mapOf(mapOf(text())), First: Version{24, 0}, Default: "{}", Effect: NewNetworks, Flags: []string{"default-network-opt"}},
		{Name: "dns", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: NextStart, Flags: []string{"dns"}, Shared: true},
		{Name: "dns-opts", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: NextStart, Flags: []string{"dns-opt"}, Shared: true},
		{Name: "dns-search", Type: list(text()), First: Version{1, 10}, Default: "[]", Effect: NextStart, Flags: []string{"dns-search"}, Shared: true},
		{Name: "firewall-backend", Type: text(), First: Version{29, 0}, Effect: ByRestart, Flags: []string{"firewall-backend"}},
		{Name: "host-gateway-ip", Type: text(), First: Version{20, 10}, Effect: NextStart, Flags: []string{"host-gateway-ip"}, Instead: `write "host-gateway-ips", which Docker has since 28.0`},
		{Name: "host-gateway-ips", Type: list(text()), First: Version{28, 0}, Effect: NextStart, Flags: []string{"host-gateway-ip"}},
		{Name: "ip-forward", Type: boolean(), First: Version{1, 10}, Default: "true", Effect: ByRestart, Flags: []string{"ip-forward"}},
		{Name: "ip-forward-no-drop", Type: boolean(), First: Version{28, 0}, Default: "false", Effect: ByRestart, Flags: []string{"ip-forward-no-drop"}},
		{Name: "ip6tables", Type: boolean(), First: Version{20, 10}, Default: "true", Effect: ByRestart, Flags: []string{"ip6tables"}},
		{Name: "iptables", Type: boolean(), First: Version{1, 10}, Default: "true", Effect: ByRestart, Flags: []string{"iptables"}},
		{Name: "network-control-plane-mtu", Type: whole(), First: Version{17, 9}, Default: "1500", Effect: ByRestart, Flags: []string{"network-control-plane-mtu"}},
		{Name: "network-diagnostic-port", Type: whole(), First: Version{17, 12}, Default: "0", Effect: ByReload, Reload: true, Resets: true, Flags: []string{"network-diagnostic-port"}},
		{Name: "userland-proxy", Type: boolean(), First: Version{1, 10}, Default: "true", Effect: NextStart, Flags: []string{"userland-proxy"}},
		{Name: "userland-proxy-path", Type: text(), First: Version{1, 13}, Effect: NextStart, Flags: []string{"userland-proxy-path"}},
	}
}

// bridgeKeys lists the keys about docker0, the default bridge. Networks that are
// created, as each compose project does, take none of them.
func bridgeKeys() []Key {
	return []Key{
		{Name: "bip", Type: text(), First: Version{1, 10}, Effect: ByEmptyRestart, Flags: []string{"bip"}},
		{Name: "bip6", Type: text(), First: Version{28, 0}, Effect: ByEmptyRestart, Flags: []string{"bip6"}},
		{Name: "bridge", Type: text(), First: Version{1, 10}, Default: `"docker0"`, Effect: ByEmptyRestart, Flags: []string{"bridge", "b"}},
		{Name: "default-gateway", Type: text(), First: Version{1, 10}, Effect: ByEmptyRestart, Flags: []string{"default-gateway"}},
		{Name: "default-gateway-v6", Type: text(), First: Version{1, 10}, Effect: ByEmptyRestart, Flags: []string{"default-gateway-v6"}},
		{Name: "fixed-cidr", Type: text(), First: Version{1, 10}, Effect: ByEmptyRestart, Flags: []string{"fixed-cidr"}},
		{Name: "fixed-cidr-v6", Type: text(), First: Version{1, 10}, Effect: ByEmptyRestart, Flags: []string{"fixed-cidr-v6"}},
		{Name: "icc", Type: boolean(), First: Version{1, 10}, Default: "true", Effect: ByEmptyRestart, Flags: []string{"icc"}},
		{Name: "ip", Type: text(), First: Version{1, 10}, Default: `"0.0.0.0"`, Effect: ByEmptyRestart, Flags: []string{"ip"}},
		{Name: "ip-masq", Type: boolean(), First: Version{1, 12}, Default: "true", Effect: ByEmptyRestart, Flags: []string{"ip-masq"}},
		{Name: "ipv6", Type: boolean(), First: Version{1, 10}, Default: "false", Effect: ByEmptyRestart, Flags: []string{"ipv6"}},
		{Name: "mtu", Type: whole(), First: Version{1, 10}, Default: "1500", Effect: ByEmptyRestart, Flags: []string{"mtu"}},
	}
}
