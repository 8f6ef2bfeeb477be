#include "crypto/wiped.hpp"
#include "transport/tls_errors.hpp"
#include "transport/tls_files.hpp"
#include "transport/tls_handles.hpp"
#include "transport/tls_trust.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

namespace dynconf::transport {

namespace {

/// Bytes, and how messages call them.
struct material {
    std::string name;
    secret content;
};

struct identity {
    x509_handle certificate;
    chain_handle chain{sk_X509_new_null()};
    key_handle key;
};

/// What the callback was asked for.
struct password {
    const secret& given;
    bool asked = false;
};

int give_password(char* to, int size, int, void* from) noexcept {
    password& p = *static_cast<password*>(from);
    p.asked = true;
    if (p.given.empty() || p.given.size() > static_cast<std::size_t>(size)) return -1;
    std::memcpy(to, p.given.reveal().data(), p.given.size());
    return static_cast<int>(p.given.size());
}

result<material> read(errc code, const std::string& path, std::string_view text, const char* name) {
    if (path.empty()) return material{name, text};
    auto content = read_file(path);
    if (!content) return error{code, content.error().message()};
    return material{"'" + path + "'", std::move(*content)};
}

result<secret> key_password(const tls_options& options) {
    if (!options.key_password_env.empty()) {
        const char* const value = std::getenv(options.key_password_env.c_str());
        return value ? secret(value) : secret();
    }
    if (options.key_password_file.empty()) return options.key_password;
    const auto content = read_file(options.key_password_file);
    if (!content) return error{errc::unreadable_key, "the password of the key: " + content.error().message()};
    const std::string_view line = content->reveal().substr(0, content->reveal().find_first_of("\r\n"));
    return secret(line);
}

error wrong_password(const std::string& name, const secret& given, const tls_options& options) {
    if (!given.empty()) return {errc::wrong_key_password, name};
    if (options.key_password_env.empty()) return {errc::wrong_key_password, name + ": no password was given"};
    return {errc::wrong_key_password, name + ": no password was given: " + options.key_password_env + " is not set, or empty"};
}

bool is_pem(const secret& content) { return content.reveal().find("-----BEGIN ") != std::string_view::npos; }

result<void> take_pkcs12(identity& into, const material& from, const secret& given, const tls_options& options) {
    const bio_handle in = read_from(from.content.reveal());
    const pkcs12_handle all(d2i_PKCS12_bio(in.get(), nullptr));
    if (!all) {
        ERR_clear_error();
        return error{errc::unreadable_certificate, from.name + ": neither PEM nor PKCS#12"};
    }
    std::string words(given.reveal());   // ends with the zero that OpenSSL wants
    const wiped at_end{words};
    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    STACK_OF(X509)* chain = nullptr;
    const int done = PKCS12_parse(all.get(), words.c_str(), &key, &certificate, &chain);
    into.key.reset(key);
    into.certificate.reset(certificate);
    if (chain) into.chain.reset(chain);
    if (done != 1) {
        const bool mac = ERR_GET_REASON(ERR_peek_last_error()) == PKCS12_R_MAC_VERIFY_FAILURE;
        const std::string why = openssl_reason();
        if (mac) return wrong_password(from.name, given, options);
        return error{errc::unreadable_certificate, from.name + ": " + why};
    }
    if (!into.certificate) return error{errc::unreadable_certificate, from.name + ": no certificate in it"};
    if (!into.key) return error{errc::unreadable_key, from.name + ": no key in it"};
    return {};
}

result<void> take_certificates(identity& into, const material& from) {
    const bio_handle in = read_from(from.content.reveal());
    into.certificate.reset(PEM_read_bio_X509_AUX(in.get(), nullptr, no_password, nullptr));
    if (!into.certificate) return error{errc::unreadable_certificate, from.name + ": " + openssl_reason()};
    for (;;) {
        x509_handle next(PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr));
        if (!next) break;
        if (sk_X509_push(into.chain.get(), next.get()) != 0) (void)next.release();
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string why = openssl_reason();
    if (!at_end) return error{errc::unreadable_certificate, from.name + ": " + why};
    return {};
}

EVP_PKEY* key_from_der(const secret& content, password& p) {
    EVP_PKEY* key = nullptr;
    const decoder_handle decoder(OSSL_DECODER_CTX_new_for_pkey(&key, "DER", nullptr, nullptr, EVP_PKEY_KEYPAIR, nullptr, nullptr));
    if (!decoder || OSSL_DECODER_CTX_set_pem_password_cb(decoder.get(), give_password, &p) != 1) return nullptr;
    const std::string_view text = content.reveal();
    const auto* data = reinterpret_cast<const unsigned char*>(text.data());
    std::size_t size = text.size();
    return OSSL_DECODER_from_data(decoder.get(), &data, &size) == 1 ? key : nullptr;
}

result<void> take_key(identity& into, const material& from, const secret& given, const tls_options& options) {
    password p{given};
    const bool pem = is_pem(from.content);
    if (pem) {
        const bio_handle in = read_from(from.content.reveal());
        into.key.reset(PEM_read_bio_PrivateKey(in.get(), nullptr, give_password, &p));
    } else {
        into.key.reset(key_from_der(from.content, p));
    }
    if (into.key) {
        ERR_clear_error();   // of the forms that it was not
        return {};
    }
    const std::string why = openssl_reason();
    if (p.asked) return wrong_password(from.name, given, options);
    return error{errc::unreadable_key, from.name + (pem ? ": " + why : ": neither PEM nor DER")};
}

}  // namespace

result<void> set_identity(SSL_CTX* context, const tls_options& options) {
    if (options.cert_file.empty() && options.cert_pem.empty()) return {};
    const auto given = key_password(options);
    if (!given) return given.error();
    const auto certificate = read(errc::unreadable_certificate, options.cert_file, options.cert_pem, "cert_pem");
    if (!certificate) return certificate.error();

    identity who;
    std::string key_name = certificate->name;
    const bool key_apart = !options.key_file.empty() || !options.key_pem.empty();
    if (!key_apart && !is_pem(certificate->content)) {
        if (auto taken = take_pkcs12(who, *certificate, *given, options); !taken) return taken;
    } else {
        if (auto taken = take_certificates(who, *certificate); !taken) return taken;
        if (key_apart) {
            const auto key = read(errc::unreadable_key, options.key_file, options.key_pem.reveal(), "key_pem");
            if (!key) return key.error();
            key_name = key->name;
            if (auto taken = take_key(who, *key, *given, options); !taken) return taken;
        } else if (auto taken = take_key(who, *certificate, *given, options); !taken) {
            return taken;
        }
    }
    if (X509_check_private_key(who.certificate.get(), who.key.get()) != 1) {
        ERR_clear_error();
        return error{errc::key_mismatch, key_name + " and " + certificate->name};
    }
    if (SSL_CTX_use_cert_and_key(context, who.certificate.get(), who.key.get(), who.chain.get(), 1) != 1)
        return error{errc::unreadable_certificate, certificate->name + ": " + openssl_reason()};
    return {};
}

}  // namespace dynconf::transport
