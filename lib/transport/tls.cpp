#include "transport/tls.hpp"

#include "transport/deadline.hpp"
#include "transport/socket_stream.hpp"
#include "transport/tls_errors.hpp"
#include "transport/tls_trust.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>

namespace dynconf::transport {

namespace ssl = boost::asio::ssl;

namespace {

class tls_stream final : public byte_stream {
public:
    tls_stream(asio::ip::tcp::socket socket, ssl::context& context, std::shared_ptr<const bool> outdated)
        : stream_(std::move(socket), context), shown_(SSL_CTX_get0_certificate(context.native_handle()) != nullptr),
          outdated_(std::move(outdated)) {
        const auto note = [](SSL*, void* asked) {
            *static_cast<bool*>(asked) = true;
            return 1;
        };
        SSL_set_cert_cb(native(), note, &asked_);
    }

    ssl::stream<asio::ip::tcp::socket>& stream() noexcept { return stream_; }
    SSL* native() noexcept { return stream_.native_handle(); }

    void async_read_some(asio::mutable_buffer to, handler h) override {
        read_ = true;
        stream_.async_read_some(to, std::move(h));
    }
    void async_write_some(asio::const_buffer from, handler h) override {
        const auto slot = asio::get_associated_cancellation_slot(h);
        const auto executor = asio::get_associated_executor(h, stream_.get_executor());
        auto told = [this, h = std::move(h)](const error_code& ec, std::size_t n) mutable {
            if (is_end(ec)) return read_why(ec, std::move(h));
            std::move(h)(ec, n);
        };
        stream_.async_write_some(from, asio::bind_cancellation_slot(slot, asio::bind_executor(executor, std::move(told))));
    }
    void close() noexcept override {
        boost::system::error_code ignored;
        stream_.lowest_layer().close(ignored);
    }
    bool alive() noexcept override {
        // Session tickets may wait to be read before the first answer; behind it, what comes is a farewell.
        return stream_.lowest_layer().is_open() && peer_is_there(stream_.lowest_layer().native_handle(), read_);
    }
    bool outdated() const noexcept override { return *outdated_; }
    error explain(const error_code& ec) const override {
        if (const auto code = code_of_alert(ec, asked_, shown_)) return {*code, ec.message()};
        // The alert may be lost where the server resets the connection behind it.
        return {ec, asked_ && !shown_ ? "it asked for a client certificate, and none is configured" : ""};
    }

private:
    /// With TLS 1.3 a server may have refused the client's certificate and gone before the first request is written. Its
    /// alert is there to be read all the same, or else the end of the connection.
    void read_why(const error_code& ended, handler h) {
        const auto slot = asio::get_associated_cancellation_slot(h);
        const auto executor = asio::get_associated_executor(h, stream_.get_executor());
        auto told = [this, ended, h = std::move(h)](const error_code& ec, std::size_t) mutable {
            std::move(h)(code_of_alert(ec, asked_, shown_) ? ec : ended, 0);
        };
        stream_.async_read_some(asio::buffer(unwanted_), asio::bind_cancellation_slot(slot, asio::bind_executor(executor, std::move(told))));
    }

    ssl::stream<asio::ip::tcp::socket> stream_;
    std::array<char, 64> unwanted_{};
    bool asked_ = false;   // the server, for a certificate
    bool read_ = false;    // an answer
    const bool shown_;
    const std::shared_ptr<const bool> outdated_;   // the context's
};

error handshake_error(tls_stream& stream, const error_code& ec, const std::string& host, bool verifies) {
    const long verdict = SSL_get_verify_result(stream.native());
    if (verifies && verdict != X509_V_OK)
        return {code_of_verdict(verdict), "the certificate for '" + host + "' was not accepted: " + X509_verify_cert_error_string(verdict)};
    const std::string with = "TLS handshake with '" + host + "'";
    error why = stream.explain(ec);
    if (why.code != ec) return {why.code, with + ": " + why.detail};
    const bool not_a_word = SSL_get_state(stream.native()) == TLS_ST_CW_CLNT_HELLO;
    if (is_end(ec) && not_a_word) return {errc::protocol_mismatch, "closed during the TLS handshake (https to a plain port?)"};
    if (is_end(ec)) return {errc::connection_closed, with + (why.detail.empty() ? "" : ": " + why.detail)};
    if (ec.category() == asio::error::get_ssl_category() && ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_WRONG_VERSION_NUMBER)
        return {errc::protocol_mismatch, "the answer to the TLS handshake is not TLS (https to a plain port?)"};
    return {ec, with};
}

/// As certificates and SNI have it (RFC 6066): without the root's dot, and without the zone of an address, which is of this
/// machine alone.
std::string as_certified(std::string host) {
    if (const auto zone = host.find('%'); zone != std::string::npos) host.erase(zone);
    if (host.size() > 1 && host.back() == '.') host.pop_back();
    return host;
}

/// SNI, and that the server's certificate has to name `host`. OpenSSL's own check: unlike one in a callback it says what does
/// not match.
bool expect_host(SSL* session, const std::string& host) {
    X509_VERIFY_PARAM* const expected = SSL_get0_param(session);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);   // a CommonName is no host name
    boost::system::error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (!not_an_address) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
    return X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1
        && SSL_set_tlsext_host_name(session, host.c_str()) == 1;   // SNI takes names only
}

}  // namespace

void require_usable(const tls_options& options) {
    const auto refuse = [](const char* why) { throw std::invalid_argument(std::string("dynconf: tls: ") + why); };
    const bool certificate = !options.cert_file.empty() || !options.cert_pem.empty();
    const bool key = !options.key_file.empty() || !options.key_pem.empty();
    if (!options.cert_file.empty() && !options.cert_pem.empty()) refuse("both cert_file and cert_pem");
    if (!options.key_file.empty() && !options.key_pem.empty()) refuse("both key_file and key_pem");
    if (key && !certificate) refuse("a key without a certificate");
    if (!options.cert_pem.empty() && !key) refuse("cert_pem without a key");
    const int passwords = !options.key_password.empty() + !options.key_password_env.empty() + !options.key_password_file.empty();
    if (passwords > 1) refuse("more than one of key_password, key_password_env and key_password_file");
    if (passwords != 0 && !certificate) refuse("a password of a key, and no key");
}

struct tls_context::impl {
    ssl::context context{ssl::context::tls_client};
    std::string server_name;
    bool verifies = true;
    const std::shared_ptr<bool> outdated = std::make_shared<bool>(false);
};

tls_context::tls_context(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
tls_context::~tls_context() = default;

void tls_context::replaced() noexcept { *impl_->outdated = true; }

result<std::shared_ptr<tls_context>> tls_context::make(const tls_options& options) {
    ERR_clear_error();
    auto i = std::make_unique<impl>();
    i->server_name = options.server_name;
    i->verifies = !options.insecure_skip_verify;
    SSL_CTX* const context = i->context.native_handle();
    SSL_CTX_set_min_proto_version(context, options.min_version == tls_version::v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    // A server that is offered h2 takes it, and would then not understand us.
    static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context, http_1_1, sizeof http_1_1);
#ifdef SSL_OP_CLEANSE_PLAINTEXT
    SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT);   // tokens are in what it has deciphered
#endif
    if (auto done = set_trust(context, options); !done) return done.error();
    if (auto done = set_identity(context, options); !done) return done.error();
    return std::make_shared<tls_context>(std::move(i));
}

asio::awaitable<result<std::unique_ptr<byte_stream>>> tls_context::handshake(asio::ip::tcp::socket socket, std::string host,
                                                                             std::chrono::steady_clock::time_point due) {
    const bool verifies = impl_->verifies;
    host = as_certified(impl_->server_name.empty() ? std::move(host) : impl_->server_name);
    auto stream = std::make_unique<tls_stream>(std::move(socket), impl_->context, impl_->outdated);
    if (!expect_host(stream->native(), host) && verifies)
        co_return error{errc::invalid_endpoint, "TLS cannot verify the host '" + host + "'"};

    deadline limit(stream->stream().get_executor(), [&stream] { stream->close(); });
    limit.expires_at(due);
    auto [ec] = co_await stream->stream().async_handshake(ssl::stream_base::client, as_result);
    limit.disarm();
    if (limit.expired()) co_return error{errc::deadline_exceeded, "TLS handshake with '" + host + "'"};
    if (ec) co_return handshake_error(*stream, ec, host, verifies);
    co_return std::unique_ptr<byte_stream>(std::move(stream));
}

}  // namespace dynconf::transport
