#include "testing/member_server.hpp"

#include "testing/http_text.hpp"
#include "transport/clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

namespace dynconf::testing {

namespace http = boost::beast::http;
using transport::clock;
using transport::was_cancelled;

namespace {

constexpr std::size_t read_size = 16 * 1024;

/// "250m": a number and its unit.
std::optional<std::chrono::milliseconds> grpc_timeout(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::int64_t n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size() - 1, n);
    if (ec != std::errc() || end != text.data() + text.size() - 1) return std::nullopt;
    switch (text.back()) {
    case 'H': return std::chrono::hours(n);
    case 'M': return std::chrono::minutes(n);
    case 'S': return std::chrono::seconds(n);
    case 'm': return std::chrono::milliseconds(n);
    case 'u': return std::chrono::milliseconds(n / 1'000);
    case 'n': return std::chrono::milliseconds(n / 1'000'000);
    default: return std::nullopt;
    }
}

request in_words(const http::request<http::string_body>& from) {
    const auto text = [](auto view) { return std::string(view.data(), view.size()); };
    request to;
    to.method = text(from.method_string());
    to.path = text(from.target());
    to.token = text(from["Authorization"]);
    to.require_leader = text(from["Grpc-Metadata-hasleader"]) == "true";
    to.timeout = grpc_timeout(text(from["Grpc-Timeout"]));
    to.body = from.body();
    return to;
}

}  // namespace

/// A connection as the member sees it through the faults.
class member_server::link {
public:
    link(std::shared_ptr<member_server> s, connection c) : server_(std::move(s)), what_(std::move(c)), number_(++server_->accepted_) {
        server_->open_.emplace(number_, this);
    }
    link(const link&) = delete;
    link& operator=(const link&) = delete;
    ~link() {
        close();
        server_->open_.erase(number_);
    }

    std::size_t number() const noexcept { return number_; }
    bool is_open() const noexcept { return open_; }
    void close() noexcept {
        open_ = false;
        what_.stream->close();
    }
    void reset() noexcept {
        if (!open_) return;
        what_.reset(*what_.stream);
        close();
    }
    void end(bool by_reset) noexcept { by_reset ? reset() : close(); }

    /// A whole request, and what is to go wrong with it; none: the connection has ended, or is no HTTP.
    struct asked {
        request what;
        exchange_fault wrong;
        bool last = false;   ///< The client wants the connection to end with it.
    };
    asio::awaitable<std::optional<asked>> read() {
        http::request_parser<http::string_body> parser;
        parser.body_limit(std::uint64_t{64} << 20);
        parser.eager(true);
        std::size_t received = 0;
        std::optional<exchange_fault> wrong;   // once its head is known
        std::optional<std::size_t> cut;
        for (;;) {
            boost::system::error_code ec;
            while (buffer_.size() != 0 && !parser.is_done()) {
                const std::size_t taken = parser.put(buffer_.data(), ec);
                buffer_.consume(taken);
                received += taken;
                if (ec) break;
            }
            if (ec && ec != http::error::need_more) co_return std::nullopt;
            if (!wrong && parser.is_header_done()) {
                const request head = in_words(parser.get());
                wrong = server_->plan ? server_->plan(head) : exchange_fault{};
                const auto rest = parser.content_length_remaining();
                if (wrong->cut_request && (rest ? *wrong->cut_request < received + *rest : !parser.is_done())) cut = wrong->cut_request;
            }
            if (cut && received >= *cut) {
                server_->tell([&] { return label() + " cut within the request of " + in_words(parser.get()).path; });
                end(wrong->reset);
                co_return std::nullopt;
            }
            if (parser.is_done()) {
                asked whole{in_words(parser.get()), *wrong, !parser.get().keep_alive()};
                co_return whole;
            }
            auto [failed, n] = co_await what_.stream->read_some(buffer_.prepare(cut ? std::min(read_size, *cut - received) : read_size));
            buffer_.commit(n);
            if (failed || !open_) co_return std::nullopt;
            if (const auto d = server_->one_way(); d.count() > 0) co_await server_->sleep(d);
            while (server_->faults_.hold_requests && open_ && !server_->closed_) co_await server_->changed_.wait();
            if (!open_) co_return std::nullopt;
        }
    }

    /// False: the connection has ended. No more than `most` bytes of this answer get through, then it ends so.
    asio::awaitable<bool> write(std::string_view bytes) {
        if (const auto d = server_->one_way(); d.count() > 0) co_await server_->sleep(d);
        const bool cut = cut_after && *cut_after < bytes.size();
        if (cut) bytes = bytes.substr(0, *cut_after);
        while (!bytes.empty()) {
            while ((server_->faults_.hold_answers || server_->paused_) && open_ && !server_->closed_) co_await server_->changed_.wait();
            if (!open_) co_return false;
            const std::size_t drip = server_->faults_.drip_bytes;
            auto [ec, n] = co_await what_.stream->write_some(asio::buffer(drip == 0 ? bytes : bytes.substr(0, drip)));
            if (ec) co_return false;
            if (cut_after) *cut_after -= n;
            bytes.remove_prefix(n);
            if (drip != 0 && !bytes.empty()) co_await server_->sleep(server_->faults_.drip_every);
        }
        if (cut) {
            server_->tell([this] { return label() + " cut within the answer"; });
            end(cut_by_reset);
        }
        co_return open_;
    }

    /// `over` becomes true when the client ends the connection, or sends what nobody asked for. While nothing is read.
    void watch_for_end(const std::shared_ptr<bool>& over) {
        what_.stream->async_read_some(buffer_.prepare(1), [over, keep = server_](const auto&, std::size_t) {
            *over = true;
            keep->stirred_.notify_all();
        });
    }
    asio::awaitable<void> until_ended() { co_await what_.stream->read_some(buffer_.prepare(1)); }

    std::string label() const { return server_->name() + " #" + std::to_string(number_); }

    std::optional<std::size_t> cut_after;
    bool cut_by_reset = false;

private:
    std::shared_ptr<member_server> server_;
    connection what_;
    std::size_t number_;
    boost::beast::flat_buffer buffer_;
    bool open_ = true;
};

member_server::member_server(asio::any_io_executor executor, gateway& serves, std::string name, seeded_random random)
    : executor_(std::move(executor)), gateway_(serves), name_(std::move(name)), random_(random), changed_(executor_),
      stirred_(executor_), due_(executor_) {
    gateway_.on_change = [this] { stir(); };
}

member_server::~member_server() {
    if (!closed_) gateway_.on_change = nullptr;
}

void member_server::stir() {
    if (closed_) return;
    stirred_.notify_all();
    const auto due = gateway_.next_due();
    if (!due) return;
    if (advancing_) {
        if (!advance_at_ || *due < *advance_at_) due_.notify_all();
        return;
    }
    advancing_ = true;
    asio::co_spawn(executor_, [self = shared_from_this()]() -> asio::awaitable<void> {
        const std::shared_ptr<member_server> keep = self;
        co_await keep->pump();
    }, asio::detached);
}

asio::awaitable<void> member_server::pump() {
    while (!closed_) {
        advance_at_ = gateway_.next_due();
        if (!advance_at_) break;
        if (clock::now() < *advance_at_) {
            co_await due_.wait(*advance_at_);
            continue;
        }
        gateway_.advance(clock::now());
        stirred_.notify_all();
    }
    advancing_ = false;
}

asio::awaitable<void> member_server::sleep(std::chrono::milliseconds d) {
    transport::timer sleeper(executor_, clock::now() + d);
    co_await sleeper.async_wait(transport::as_result);
}

void member_server::serve(connection c) {
    if (closed_) return;
    const auto on = std::make_shared<link>(shared_from_this(), std::move(c));
    if (random_.chance(faults_.drop_connections)) {
        tell([&] { return on->label() + " dropped"; });
        return on->reset();
    }
    asio::co_spawn(executor_, [self = shared_from_this(), on]() -> asio::awaitable<void> {
        const std::shared_ptr<member_server> keep = self;
        const std::shared_ptr<link> mine = on;
        co_await keep->serve_all(mine);
    }, asio::detached);
}

asio::awaitable<void> member_server::serve_all(std::shared_ptr<link> on) {
    while (on->is_open()) {
        auto got = co_await on->read();
        if (!got) break;
        const request& asked = got->what;
        exchange_fault& wrong = got->wrong;
        if (came) came(asked);
        wrong.connection_close |= got->last;
        on->cut_after = wrong.cut_answer;
        on->cut_by_reset = wrong.reset;
        if (wrong.delay.count() > 0) co_await sleep(wrong.delay);
        while (paused_ && !closed_) co_await changed_.wait();
        if (closed_) break;

        auto answer = gateway_.handle(asked, clock::now());
        stir();
        tell([&] {
            const auto* said = std::get_if<reply>(&answer);
            return on->label() + " " + asked.path + " " + asked.body + " -> " + (said ? std::to_string(said->status) + " " + said->body : "a stream");
        });

        if (auto* const lines = std::get_if<std::unique_ptr<stream>>(&answer)) {
            co_await serve_stream(*on, **lines, wrong);
            break;   // what the client sent meanwhile is lost, as it is with etcd
        }
        const reply& said = std::get<reply>(answer);
        if (said.lost) {
            co_await on->until_ended();
            break;
        }
        if (said.delay.count() > 0) co_await sleep(said.delay);
        const std::string text = http_text(gateway_.profile(), said, wrong);
        if (!co_await on->write(text)) break;
        if (wrong.connection_close || wrong.wrong_length < 0) break;
    }
    if (on->is_open() && faults_.close_delay.count() > 0) co_await sleep(faults_.close_delay);
    on->close();
}

asio::awaitable<void> member_server::serve_stream(link& on, stream& lines, const exchange_fault& wrong) {
    struct counted {
        explicit counted(std::size_t& n) : of(n) { ++of; }
        counted(const counted&) = delete;
        ~counted() { --of; }
        std::size_t& of;
    };
    const counted here(streams_);
    const auto over = std::make_shared<bool>(false);
    on.watch_for_end(over);
    const server_profile& profile = gateway_.profile();
    bool begun = false;
    while (!*over && on.is_open() && !closed_) {
        std::string out;
        if (!paused_) {
            for (const std::string& line : lines.take(clock::now())) {
                tell([&] { return on.label() + " sends " + line; });
                out += http_line(profile, wrong.bad_json ? std::string_view(line).substr(0, line.size() / 2) : std::string_view(line));
            }
            // The head arrives together with the first message.
            if ((!out.empty() || lines.ended()) && !std::exchange(begun, true)) out = http_stream_head(profile, out.empty()) + out;
            if (lines.ended()) out += "0\r\n\r\n";
        }
        if (out.empty()) {
            co_await stirred_.wait();
            while (paused_ && !closed_ && on.is_open() && !*over) co_await changed_.wait();
            continue;
        }
        const bool ends = lines.ended();
        if (!co_await on.write(out) || ends) break;
    }
    on.close();
}

void member_server::cut_connections(bool reset) {
    tell([&] { return name_ + (reset ? " resets" : " closes") + " all its connections"; });
    std::vector<link*> all;
    for (const auto& [number, each] : open_) all.push_back(each);
    for (link* each : all) each->end(reset);
    changed_.notify_all();
    stirred_.notify_all();
}

void member_server::close() {
    if (std::exchange(closed_, true)) return;
    gateway_.on_change = nullptr;
    faults_ = {};
    paused_ = false;
    cut_connections(false);
    due_.notify_all();
}

}  // namespace dynconf::testing
