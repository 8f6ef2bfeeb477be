#include "transport/http_session.hpp"

#include "transport/deadline.hpp"
#include "transport/shown_url.hpp"
#include "transport/socket_stream.hpp"
#include "transport/wiping_allocator.hpp"
#include "wire/quote.hpp"

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/optional.hpp>

#include <optional>
#include <string>
#include <utility>

namespace dynconf::transport {

namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

/// 64 KiB reads: Beast's default of 512 bytes costs a hundred times the system calls.
constexpr std::size_t read_size = 64 * 1024;
constexpr std::uint32_t header_limit = 64 * 1024;   // and for what stands between two chunks
constexpr std::string_view status_start = "HTTP/1.";
constexpr std::string_view empty_chunked = "0\r\n\r\n";
/// How TLS begins what it says to those who do not speak it: an alert, of its version 1.0 or above.
constexpr std::string_view tls_alert = "\x15\x03";

/// A Beast body that keeps nothing: pieces go to the sink while the parser is at them.
struct sink_body {
    using value_type = response_sink*;

    class reader {
    public:
        template <bool IsRequest, class Fields>
        reader(http::header<IsRequest, Fields>&, value_type& sink) : sink_(sink) {}

        void init(const boost::optional<std::uint64_t>&, error_code& ec) { ec = {}; }
        template <class Buffers>
        std::size_t put(const Buffers& buffers, error_code& ec) {
            std::size_t taken = 0;
            for (const auto piece : beast::buffers_range_ref(buffers)) {
                if (!sink_->on_body({static_cast<const char*>(piece.data()), piece.size()})) {
                    ec = make_error_code(errc::malformed_response);
                    return taken;
                }
                taken += piece.size();
            }
            ec = {};
            return taken;
        }
        void finish(error_code& ec) { ec = {}; }

    private:
        response_sink* sink_;
    };
};

bool ended(const error_code& ec) {
    return is_end(ec) || ec == http::error::partial_message || ec == http::error::end_of_stream;
}

}  // namespace

struct http_session::impl {
    impl(std::unique_ptr<byte_stream> s, asio::any_io_executor executor)
        : stream(std::move(s)), limit(executor, [this] { stream->close(); }) {
        buffer.reserve(read_size);
    }

    error failed(const error_code& ec) {
        stream->close();
        broken = true;
        if (limit.expired()) return {errc::deadline_exceeded, got_bytes ? "the answer stopped half way" : "no answer"};
        error why = stream->explain(ec);
        if (why.code != ec) return why;
        if (!ended(ec)) return {ec, {}};
        if (got_bytes) return {errc::connection_closed, {}};
        const bool nothing_is_known = exchanges <= 1 && request_left && !why.detail.empty();
        return {errc::connection_closed, "no answer came" + (nothing_is_known ? " (" + why.detail + ")" : "")};
    }

    error unreadable(const error_code& ec) {
        stream->close();
        broken = true;
        if (ec == http::error::body_limit) return {errc::response_too_large, "the body of the answer"};
        if (ec == http::error::header_limit)
            return {errc::response_too_large, parser->is_header_done() ? "what stands between the chunks of the answer" : "the head of the answer"};
        // How all that an HTTP/2 server sends first begins: a SETTINGS frame, whose length takes three bytes.
        const std::string_view start(static_cast<const char*>(buffer.data().data()), buffer.size());
        if (start.starts_with('\0'))
            return {errc::protocol_mismatch, "the port speaks HTTP/2 only; give the one of the JSON gateway"};
        if (!start.empty() && start.substr(0, tls_alert.size()) == tls_alert.substr(0, start.size()))
            return {errc::protocol_mismatch, "the port speaks TLS; give it as https"};
        if (ec.category() == dynconf_category()) return {ec, {}};
        return {errc::malformed_response, "not HTTP/1.1: " + ec.message()};
    }

    /// What nobody would look at behind the status.
    result<void> judge_head() const {
        const auto& head = parser->get();
        const std::string_view encoding = head[http::field::content_encoding];
        if (!encoding.empty() && !beast::iequals(encoding, "identity"))
            return error{errc::malformed_response, "the answer is encoded ('" + wire::quote(encoding) + "'), which was not asked for"};
        const std::string_view location = head[http::field::location];
        if (head.result_int() / 100 == 3 && !location.empty())
            return error{errc::unexpected_status, "HTTP " + std::to_string(head.result_int()) + " sends elsewhere, to '" + shown_url(location)
                                                      + "'; that is not followed"};
        return {};
    }

    /// Lets the parser have what is buffered. True: the answer is complete.
    result<bool> parse() {
        while (buffer.size() != 0 && !parser->is_done()) {
            const std::string_view next(static_cast<const char*>(buffer.data().data()), buffer.size());
            if (!status_begun) {
                // Beast may wait for the end of a head before it looks at the first line; a stranger never sends one.
                if (next.substr(0, status_start.size()) != status_start.substr(0, next.size())) return unreadable(http::error::bad_version);
                if (next.size() < status_start.size()) break;
                status_begun = true;
            }
            // Beast before 1.86 takes a piece of the shortest chunked body for a broken promise of its own.
            if (parser->is_header_done() && parser->chunked() && !body_begun && next.front() == '0' && next.size() < empty_chunked.size()) break;
            const bool in_body = parser->is_header_done();
            error_code ec;
            const std::size_t taken = parser->put(buffer.data(), ec);
            body_begun |= in_body && taken != 0;
            buffer.consume(taken);
            if (!parser->eager() && parser->is_header_done()) {
                if (auto fine = judge_head(); !fine) {
                    stream->close();
                    broken = true;
                    return fine.error();
                }
                sink->on_head(parser->get().result_int());
                parser->eager(true);
            }
            if (ec == http::error::need_more) break;
            if (ec) return unreadable(ec);
        }
        // Beast has no limit for what follows a chunk's size, and takes nothing before it has all of it.
        if (!parser->is_done() && buffer.size() > header_limit) return unreadable(http::error::header_limit);
        if (!parser->is_done()) return false;
        // A second answer that nobody asked for: the connection is out of step.
        idle = buffer.size() == 0 && parser->keep_alive();
        return true;
    }

    std::unique_ptr<byte_stream> stream;
    deadline limit;
    beast::basic_flat_buffer<wiping_allocator<char>> buffer;   // tokens arrive in it
    response_sink* sink = nullptr;
    std::optional<http::response_parser<sink_body>> parser;
    unsigned exchanges = 0;
    bool request_left = false;
    bool got_bytes = false;
    bool status_begun = false;
    bool body_begun = false;
    bool idle = true;
    bool broken = false;
};

http_session::http_session(std::unique_ptr<byte_stream> stream, asio::any_io_executor executor)
    : impl_(std::make_unique<impl>(std::move(stream), std::move(executor))) {}

http_session::~http_session() { close(); }

asio::awaitable<result<void>> http_session::send(std::string_view request, response_sink& sink, std::size_t body_limit) {
    impl& self = *impl_;
    ++self.exchanges;
    self.sink = &sink;
    self.request_left = self.got_bytes = self.status_begun = self.body_begun = self.idle = false;
    self.parser.emplace(std::piecewise_construct, std::make_tuple(&sink));
    self.parser->eager(false);   // head first: the sink has to know the status before the body
    self.parser->header_limit(header_limit);
    if (body_limit == unlimited)
        self.parser->body_limit(boost::none);   // Beast counts a chunked body as one: it would end a watch after 8 MiB
    else
        self.parser->body_limit(body_limit);

    while (!request.empty()) {
        if (co_await was_cancelled()) co_return self.failed(asio::error::operation_aborted);
        auto [ec, written] = co_await self.stream->write_some(asio::buffer(request));
        if (written != 0) self.request_left = true;
        if (ec) co_return self.failed(ec);
        request.remove_prefix(written);
    }
    co_return result<void>();
}

asio::awaitable<result<bool>> http_session::read_some() {
    impl& self = *impl_;
    // One that came while the last answer was on its way here would not reach this wait, which may be for ever.
    if (co_await was_cancelled()) co_return self.failed(asio::error::operation_aborted);
    auto [ec, n] = co_await self.stream->read_some(self.buffer.prepare(read_size));
    self.buffer.commit(n);
    if (n != 0) {
        self.got_bytes = true;
        result<bool> done = self.parse();
        if (!done || *done) co_return done;
    }
    if (!ec) co_return false;
    if (ec == asio::error::eof && self.parser->is_header_done() && self.parser->need_eof()) {
        error_code end;
        self.parser->put_eof(end);   // HTTP/1.0 style: the body lasts until the connection ends
        if (!end) co_return true;
    }
    co_return self.failed(ec);
}

void http_session::expires_at(std::chrono::steady_clock::time_point due) { impl_->limit.expires_at(due); }
void http_session::no_deadline() { impl_->limit.disarm(); }
bool http_session::request_left() const noexcept { return impl_->request_left; }

bool http_session::reusable() noexcept {
    return impl_->idle && !impl_->broken && !outdated() && impl_->stream->alive();
}

bool http_session::outdated() const noexcept { return impl_->stream->outdated(); }

void http_session::close() noexcept {
    impl_->limit.disarm();
    impl_->broken = true;
    impl_->stream->close();
}

}  // namespace dynconf::transport
