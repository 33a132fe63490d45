package daemonjson

import (
	"fmt"
	"net/netip"
	"strconv"
)

// pool is one element of default-address-pools.
type pool struct {
	base netip.Prefix
	size int64
	at   string
}

// pools looks at the networks that dockerd cuts into networks for containers.
// docker0 gets the first IPv4 one unless it has an address of its own.
func pools(c *check) {
	all, ok := c.pools()
	if !ok || len(all) == 0 {
		return
	}
	docker0 := c.setting("bip") == "" && c.setting("bridge") == "" && c.setting("fixed-cidr") == ""
	for _, p := range all {
		if p.base.Addr().Is4() {
			if docker0 {
				c.smallPool(p)
			}
			return
		}
	}
	const why, hint = "no pool has IPv4 addresses, which docker0 needs", `add one, such as { "base": "10.200.0.0/16", "size": 24 }`
	switch {
	case docker0 && c.since(23, 0):
		c.fatal(why, hint, "default-address-pools")
	case docker0:
		c.unusable(why, hint, "default-address-pools")
	}
}

// pools reads the pools and says what is wrong with single ones.
func (c *check) pools() ([]pool, bool) {
	v, _ := c.value("default-address-pools")
	var all []pool
	good := true
	for i, item := range v.items {
		p := pool{size: item.field("size").int(), at: strconv.Itoa(i)}
		var err error
		if p.base, err = netip.ParsePrefix(item.field("base").literal); err != nil {
			c.fatal(fmt.Sprintf("%q is not a network", item.field("base").literal), `write one such as "10.200.0.0/16"`, "default-address-pools", p.at, "base")
			good = false
			continue
		}
		good = c.poolSize(p) && good
		all = append(all, p)
	}
	return all, good
}

func (c *check) poolSize(p pool) bool {
	const hint = "write the prefix length that each network gets, such as 24"
	at := []string{"default-address-pools", p.at, "size"}
	switch bits := int64(p.base.Bits()); {
	case p.size < bits:
		c.fatal(fmt.Sprintf("a network of prefix length %d does not fit into %s", p.size, p.base), hint, at...)
	case p.size > int64(p.base.Addr().BitLen()):
		c.fatal(fmt.Sprintf("no network has the prefix length %d", p.size), hint, at...)
	case !c.since(27, 0) && p.size-bits > 24 && p.size-bits < 63:
		c.fatal(fmt.Sprintf("before 27.0 dockerd lists all networks of a pool when it starts, and 2^%d do not fit into memory", p.size-bits), hint, at...)
	default:
		return true
	}
	return false
}

// smallPool looks at the pool that docker0 gets its network from.
func (c *check) smallPool(p pool) {
	const hint = "write a smaller number, such as 24"
	at := []string{"default-address-pools", p.at, "size"}
	switch {
	case p.size >= 31 && !c.since(23, 0):
		c.fatal("before 23.0 dockerd finds no address for docker0 in so small a network", hint, at...)
	case p.size == 32:
		c.unusable("networks of one address have none left for a container", hint, at...)
	}
}
