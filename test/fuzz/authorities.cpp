#include "fuzz/target.hpp"

#include "transport/tls_trust.hpp"

#include <dynconf/tls_options.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

using namespace dynconf;
using fuzz::promise;

// Certificates as text. The parser is OpenSSL's; how often it is called, and what it leaves behind, is ours.
FUZZ_TARGET(authorities) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    tls_options options;
    options.ca_pem = std::string(in.rest());
    const bool any = !options.ca_pem.empty();
    if (!any) return;   // the system's own
    const auto done = transport::set_trust(context.get(), options);
    promise(ERR_peek_error() == 0, "an error is left behind for the next connection");
    if (done) {
        promise(options.ca_pem.find("-----BEGIN ") != std::string::npos, "authorities in a text without any");
        return;
    }
    promise(done.error() == errc::unreadable_ca && done.error().detail.starts_with("ca_pem: "), "another error: " + done.error().message());
    promise(done.error().detail.size() <= 400, "too many words");
}
