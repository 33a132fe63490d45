package policy

// tlsRow is the block tls of site.
func tlsRow() block {
	return block{
		name: "tls",
		doc: "Serves the site over TLS 1.2 and 1.3, with the ciphers of Mozilla's guideline \"intermediate\", and sends plain HTTP there. " +
			"An empty block orders a certificate from Let's Encrypt. See [tls.md](tls.md).",
		attrs: []attribute{
			{
				name: "certificate", kind: "path", example: `"/etc/ssl/app.example.no.pem"`, read: text(filePath),
				doc: "A certificate of your own in PEM: the site's first, then those that lead to the root. It must cover the name and fit the key. A renewed file is noticed by the next `molo apply`.",
			},
			{
				name: "key", kind: "path", needs: "certificate", example: `"/etc/ssl/private/app.example.no.key"`, read: text(filePath),
				doc: "The certificate's key in PEM, without a passphrase, which only root may read or its group. Left out, it is in the file of the certificate.",
			},
			{
				name: "port", kind: "number", fallback: `443`, example: `8443`, read: integer[uint16](1, 65535),
				doc: "The port that is served over TLS.",
			},
			{
				name: "http3", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether HTTP/3 is spoken as well, over UDP, if nginx has it (Debian 13 and later). Off, because a reload of nginx ends its connections and its code is young. HTTP/2 is always on.",
			},
			{
				name: "client_ca", kind: "path", example: `"/etc/molo/clients.pem"`, read: text(filePath),
				doc: "The authorities that sign the certificates of clients, in PEM. With it, clients are asked for one; who they are goes to the application as `X-SSL-Client-Verify`, `X-SSL-Client-Subject` and `X-SSL-Client-Serial`.",
			},
			{
				name: "client_certificate", kind: "string", needs: "client_ca", fallback: `"required"`, allowed: []string{"required", "optional"}, example: `"optional"`,
				doc: "Whether clients without a certificate are refused. With `optional` the application has to look at `X-SSL-Client-Verify`, which is `SUCCESS` for those who have one.",
			},
		},
		blocks: []block{acmeRow()},
	}
}

// acmeRow is the block acme of tls.
func acmeRow() block {
	return block{
		name: "acme",
		doc: "Orders the certificate from an authority that speaks ACME (RFC 8555), proves over port 80 that the name is this host's, and renews it in time. " +
			"Writing it, or leaving out `certificate`, agrees to the terms of service of the authority.",
		attrs: []attribute{
			{
				name: "email", kind: "mail address", example: `"ops@example.no"`, read: text(email),
				doc: "Where the authority can reach you. Let's Encrypt sends no reminders any more.",
			},
			{
				name: "staging", kind: "boolean", fallback: `false`, example: `true`, read: boolean(),
				doc: "Whether Let's Encrypt's staging environment is used: for trying things out without touching its limits. Browsers don't trust its certificates.",
			},
			{
				name: "directory", kind: "URL", fallback: `"` + letsEncrypt + `"`, example: `"https://acme.example.no/directory"`, read: text(directoryURL),
				doc: "The directory of the authority.",
			},
			{
				name: "directory_ca", kind: "path", needs: "directory", example: `"/etc/molo/acme-root.pem"`, read: text(filePath),
				doc: "The root certificate, in PEM, that the directory's own certificate must come from, for an authority of your own. Left out, the system's roots hold.",
			},
			{
				name: "profile", kind: "name", example: `"shortlived"`, read: text(profile),
				doc: "The kind of certificate, of those that the authority offers. Let's Encrypt's `shortlived` lasts six days: run `molo apply` at least daily with it.",
			},
			{
				name: "key_type", kind: "string", fallback: `"ecdsa-p256"`, allowed: keyTypes(), example: `"rsa-2048"`,
				doc: "The kind of key. A new one is made for every certificate.",
			},
		},
		blocks: []block{externalRow()},
	}
}

// externalRow is the block external_account of acme.
func externalRow() block {
	return block{
		name: "external_account",
		doc:  "Binds the account to one that you have with the authority already, where it asks for that (RFC 8555, 7.3.4).",
		attrs: []attribute{
			{
				name: "key_id", kind: "string", required: true, example: `"kid-1"`, read: text(keyID),
				doc: "What the authority calls your account.",
			},
			{
				name: "key_file", kind: "path", required: true, example: `"/etc/molo/acme-account.key"`, read: text(filePath),
				doc: "The file with the key that the authority gave you for it, in base64url, which only root may read. The key itself never stands in a policy.",
			},
		},
	}
}
