package nginx_test

import (
	"fmt"
	"strings"
	"testing"

	"molo/internal/lab"
	"molo/internal/lab/labtest"
)

// What sites can ask for, on the nginx of every release. The numbers are those of
// the list of behaviours in docs/nginx.md.
func TestSites(t *testing.T) {
	labtest.Need(t)
	for _, release := range lab.Releases() {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, release)
			w.newInner(t)
			w.applyText(t, featureHCL(w))
			t.Run("09 redirects keep path, query and method", w.testRedirects)
			t.Run("20 trusted proxies", w.testTrustedProxies)
			t.Run("20 the PROXY protocol", w.testProxyProtocol)
			t.Run("22 no redirect splits a response", w.testSplit)
			t.Run("36 WebSockets", w.testWebSockets)
			t.Run("37 no other upgrade", w.testNoUpgrade)
			t.Run("39 whose header wins", w.testWhoseHeader)
			t.Run("40 flags of cookies", w.testCookies)
			t.Run("07 limits", w.testLimits)
			t.Run("passwords and addresses", w.testAccess)
			t.Run("paths that are read in two ways", w.testCrooked)
			t.Run("a site for other names", w.testDefaultSiteOfOurs)
			t.Run("several backends", w.testBackends)
			t.Run("a request that could do something twice", w.testHangUp)
			t.Run("05 Unix sockets", w.testUnixSocket)
			t.Run("gRPC", w.testGRPC)
			t.Run("TLS to the application", w.testUpstreamTLS)
			t.Run("streams and long silence", w.testStreams)
		})
	}
}

// applyText makes nginx serve the sites of a policy.
func (w *web) applyText(t *testing.T, text string) {
	t.Helper()
	w.sites = parseSites(t, text)
	w.apply(t, w.sites)
}

// featureHCL is one site for each thing that a site can ask for. The client's own
// address is a trusted proxy's where one is needed.
func featureHCL(w *web) string {
	proxies := fmt.Sprintf("%q, %q, \"198.51.100.0/24\"", w.client.Addr4, w.client.Addr6)
	return strings.NewReplacer("PROXIES", proxies, "CLIENT", w.client.Addr4.String()).Replace(`
site "app.example.no" {
  upstream      = "127.0.0.1:8080"
  redirect_from = ["www.example.no", "old.example.no"]
  headers {
    content_security_policy = "default-src 'none'"
  }
  path "/old/" {
    redirect = "https://new.example.no"
  }
  path "/page" {
    redirect        = "/other?a=b"
    redirect_status = 307
  }
  path "/framed/" {
    headers {
      x_frame_options         = "SAMEORIGIN"
      content_security_policy = ""
      referrer_policy         = ""
    }
  }
  path "/small/" {
    max_body = "1k"
  }
}
site "elsewhere.example.no" {
  redirect = "https://app.example.no"
}
site "socket.example.no" {
  upstream  = "127.0.0.1:8080"
  websocket = true
}
site "wins.example.no" {
  upstream = "127.0.0.1:8080"
  headers {
    content_security_policy = "default-src 'none'"
    upstream_wins           = ["x_frame_options", "content_security_policy", "content_security_policy_report_only", "referrer_policy", "x_content_type_options"]
  }
  path "/ours/" {
    headers {
      upstream_wins = ["referrer_policy"]
    }
  }
}
site "cookies.example.no" {
  upstream     = "127.0.0.1:8080"
  cookie_flags = ["secure", "httponly", "samesite=lax"]
}
site "proxied.example.no" {
  upstream   = "127.0.0.1:8080"
  port       = 8082
  trusted_proxies {
    from = [PROXIES]
  }
  path "/inside/" {
    allow_from = ["192.0.2.0/24"]
  }
}
site "haproxy.example.no" {
  upstream = "127.0.0.1:8080"
  port     = 8083
  trusted_proxies {
    from           = [PROXIES]
    proxy_protocol = true
  }
}
site "limited.example.no" {
  upstream = "127.0.0.1:8080"
  limit {
    rate        = "1/m"
    burst       = 2
    connections = 2
  }
  path "/free/" {
    limit {
      rate  = "1000/s"
      burst = 1000
    }
  }
}
site "guarded.example.no" {
  upstream = "127.0.0.1:8080"
  path "/admin/" {
    auth {
      users = "/etc/nginx/users"
      realm = "Staff; only"
    }
  }
  path "/inside" {
    allow_from = ["192.0.2.0/24"]
  }
  path "/inside/open" {
    public = true
  }
  path "/outside" {
    deny_from = ["CLIENT"]
  }
}
site "any.example.no" {
  upstream = "127.0.0.1:8080"
  port     = 8084
  default  = true
}
site "dotted.example.no" {
  upstream     = "127.0.0.1:8080"
  hidden_files = true
}
site "several.example.no" {
  backend "127.0.0.1:9" {
    max_fails = 1
  }
  backend "127.0.0.1:8080" {}
}
site "spare.example.no" {
  backend "127.0.0.1:9" {}
  backend "127.0.0.1:8080" {
    backup = true
  }
}
site "both.example.no" {
  backend "127.0.0.1:8080" {}
  backend "unix:/run/molo-test.sock" {}
}
site "unix.example.no" {
  upstream = "unix:/run/molo-test.sock"
}
site "nobody.example.no" {
  upstream = "unix:/run/nobody.sock"
}
site "grpc.example.no" {
  upstream = "127.0.0.1:50051"
  protocol = "grpc"
}
site "tls.example.no" {
  upstream = "127.0.0.1:8443"
  protocol = "https"
  upstream_tls {
    name = "inner.example.no"
    ca   = "/etc/nginx/inner-ca.pem"
  }
}
site "othername.example.no" {
  upstream = "127.0.0.1:8443"
  protocol = "https"
  upstream_tls {
    ca = "/etc/nginx/inner-ca.pem"
  }
}
site "otherca.example.no" {
  upstream = "127.0.0.1:8443"
  protocol = "https"
  upstream_tls {
    name = "inner.example.no"
  }
}
site "unverified.example.no" {
  upstream = "127.0.0.1:8443"
  protocol = "https"
  upstream_tls {
    verify = false
  }
}
site "grpcs.example.no" {
  upstream = "127.0.0.1:8444"
  protocol = "grpcs"
  upstream_tls {
    name = "inner.example.no"
    ca   = "/etc/nginx/inner-ca.pem"
  }
}
site "stream.example.no" {
  upstream  = "127.0.0.1:8080"
  buffering = false
  timeout   = "2s"
}
`)
}
