package nginx

// For the tests on real hosts, which see this package from outside.
var (
	NewSites  = newSites
	ManySites = manySites
	TreeOf    = treeOf
)
