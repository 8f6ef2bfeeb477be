#include "transport/tls_trust.hpp"

#include "transport/tls_errors.hpp"
#include "transport/tls_files.hpp"
#include "transport/tls_handles.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace dynconf::transport {

namespace {

error unusable(const std::string& whose, const std::string& why) { return {errc::unreadable_ca, whose + ": " + why}; }

/// How many certificates the store was given.
result<unsigned> add_all(X509_STORE* store, std::string_view pem, const std::string& whose) {
    const bio_handle in = read_from(pem);
    for (unsigned count = 0;; ++count) {
        const x509_handle one(PEM_read_bio_X509_AUX(in.get(), nullptr, no_password, nullptr));
        if (!one) {
            const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
            const std::string why = openssl_reason();
            if (!at_end) return unusable(whose, why);
            return count;
        }
        if (X509_STORE_add_cert(store, one.get()) != 1) return unusable(whose, openssl_reason());
    }
}

result<void> add_file(X509_STORE* store, const std::string& path) {
    const auto content = read_file(path);
    if (!content) return unusable(content.error().detail, content.error().code.message());
    const auto added = add_all(store, content->reveal(), "'" + path + "'");
    if (!added) return added.error();
    if (*added == 0) return unusable("'" + path + "'", "no certificate in it");
    return {};
}

result<void> add_directory(X509_STORE* store, const std::string& path) {
    unsigned count = 0;
    for (const std::string& file : files_in(path)) {
        const auto content = read_file(file);
        if (!content) continue;
        if (const auto added = add_all(store, content->reveal(), file)) count += *added;
    }
    if (count == 0) return unusable("'" + path + "'", "no file in it has a certificate");
    return {};
}

}  // namespace

result<void> set_trust(SSL_CTX* context, const tls_options& options) {
    SSL_CTX_set_verify(context, options.insecure_skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    if (options.insecure_skip_verify) return {};
    X509_STORE* const store = SSL_CTX_get_cert_store(context);
    // As for etcd's own clients: what is named is trusted, be it an authority's own certificate, one below it, or the server's.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);

    const bool own = !options.ca_file.empty() || !options.ca_directory.empty() || !options.ca_pem.empty();
    if ((!own || options.ca_and_system) && SSL_CTX_set_default_verify_paths(context) != 1)
        return unusable("the system's store", openssl_reason());
    if (!options.ca_file.empty())
        if (auto added = add_file(store, options.ca_file); !added) return added;
    if (!options.ca_directory.empty())
        if (auto added = add_directory(store, options.ca_directory); !added) return added;
    if (!options.ca_pem.empty()) {
        const auto added = add_all(store, options.ca_pem, "ca_pem");
        if (!added) return added.error();
        if (*added == 0) return unusable("ca_pem", "no certificate in it");
    }
    return {};
}

}  // namespace dynconf::transport
