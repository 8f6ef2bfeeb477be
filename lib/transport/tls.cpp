#include "transport/tls.hpp"

#include "transport/deadline.hpp"
#include "transport/socket_stream.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

namespace dynconf::transport {

namespace ssl = boost::asio::ssl;

namespace {

using tls_stream = ssl::stream<asio::ip::tcp::socket>;

struct tls_traits {
    static void close(tls_stream& s) noexcept {
        boost::system::error_code ignored;
        s.lowest_layer().close(ignored);
    }
    static bool alive(tls_stream& s) noexcept {
        // Session tickets may wait to be read: bytes are no fault here.
        return s.lowest_layer().is_open() && peer_is_there(s.lowest_layer().native_handle(), false);
    }
};

using tls_adapter = stream_adapter<tls_stream, tls_traits>;

error handshake_error(tls_stream& stream, const boost::system::error_code& ec, const std::string& host) {
    const long verdict = SSL_get_verify_result(stream.native_handle());
    if (verdict != X509_V_OK)
        return {ec, "the certificate for '" + host + "' was not accepted: " + X509_verify_cert_error_string(verdict)};
    if (ec == asio::error::eof || ec == ssl::error::stream_truncated || ec == asio::error::connection_reset)
        return {errc::protocol_mismatch, "closed during the TLS handshake (https to a plain port?)"};
    if (ec.category() == asio::error::get_ssl_category() && ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_WRONG_VERSION_NUMBER)
        return {errc::protocol_mismatch, "the answer to the TLS handshake is not TLS (https to a plain port?)"};
    return {ec, "TLS handshake with '" + host + "'"};
}

/// The server's certificate has to name `host`. OpenSSL's own check: unlike one in a callback it says what does not
/// match.
bool expect_host(SSL* session, const std::string& host) {
    X509_VERIFY_PARAM* const expected = SSL_get0_param(session);
    boost::system::error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
    return X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1
        && SSL_set_tlsext_host_name(session, host.c_str()) == 1;   // SNI takes names only
}

}  // namespace

struct tls_context::impl {
    ssl::context context{ssl::context::tls_client};
};

tls_context::tls_context(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_context::~tls_context() = default;

result<std::shared_ptr<tls_context>> tls_context::make(const tls_options& options) {
    auto i = std::make_unique<impl>();
    SSL_CTX_set_min_proto_version(i->context.native_handle(), TLS1_2_VERSION);
    // A server that is offered h2 takes it, and would then not understand us.
    static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(i->context.native_handle(), http_1_1, sizeof http_1_1);
    i->context.set_verify_mode(ssl::verify_peer);
    boost::system::error_code ec;
    if (options.ca_file.empty())
        i->context.set_default_verify_paths(ec);
    else
        i->context.load_verify_file(options.ca_file, ec);
    if (ec) return error{errc::unreadable_ca_file, "'" + options.ca_file + "': " + ec.message()};
    return std::make_shared<tls_context>(std::move(i));
}

asio::awaitable<result<std::unique_ptr<byte_stream>>> tls_context::handshake(asio::ip::tcp::socket socket, std::string host,
                                                                             std::chrono::steady_clock::time_point due) {
    auto adapter = std::make_unique<tls_adapter>(std::move(socket), impl_->context);
    tls_stream& stream = adapter->stream();

    if (!expect_host(stream.native_handle(), host))
        co_return error{errc::invalid_endpoint, "TLS cannot verify the host '" + host + "'"};

    deadline limit(stream.get_executor(), [&stream] { tls_traits::close(stream); });
    limit.expires_at(due);
    auto [ec] = co_await stream.async_handshake(ssl::stream_base::client, as_result);
    limit.disarm();
    if (limit.expired()) co_return error{errc::deadline_exceeded, "TLS handshake with '" + host + "'"};
    if (ec) co_return handshake_error(stream, ec, host);
    co_return std::unique_ptr<byte_stream>(std::move(adapter));
}

}  // namespace dynconf::transport
