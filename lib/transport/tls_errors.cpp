#include "transport/tls_errors.hpp"

#include <boost/asio/ssl/error.hpp>

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

namespace dynconf::transport {

std::string openssl_reason() {
    const unsigned long last = ERR_peek_last_error();
    ERR_clear_error();
    const char* const words = ERR_reason_error_string(last);
    return words ? words : "unknown reason";
}

errc code_of_verdict(long verdict) noexcept {
    switch (verdict) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return errc::certificate_not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return errc::certificate_wrong_host;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return errc::certificate_self_signed;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:   // an authority of the same name, and another key
    case X509_V_ERR_CERT_UNTRUSTED: return errc::unknown_authority;
    default: return errc::certificate_refused;
    }
}

std::optional<errc> code_of_alert(const error_code& ec, bool asked, bool shown) noexcept {
    if (ec.category() != boost::asio::error::get_ssl_category()) return std::nullopt;
    const auto number = static_cast<unsigned long>(ec.value());
    if (ERR_GET_LIB(number) != ERR_LIB_SSL) return std::nullopt;
    switch (ERR_GET_REASON(number)) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return errc::client_certificate_required;
    // Before TLS 1.3 there was no alert for a missing one: Go takes the first, others the second.
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        return shown ? errc::client_certificate_refused : errc::client_certificate_required;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        if (!asked) return std::nullopt;
        return shown ? errc::client_certificate_refused : errc::client_certificate_required;
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR: return errc::client_certificate_refused;
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL: return errc::tls_version_refused;
    default: return std::nullopt;
    }
}

}  // namespace dynconf::transport
