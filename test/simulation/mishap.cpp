#include "simulation/mishap.hpp"

#include "transport/clock.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace dynconf::simulation_test {

using error_code = boost::system::error_code;
using handler = transport::byte_stream::handler;
using kind = mishap::kind;
using place = mishap::place;

std::size_t wire::counters::of(place p) const noexcept {
    switch (p) {
    case place::request_byte: return request_bytes;
    case place::answer_byte: return answer_bytes;
    case place::connect: return connects;
    case place::read: return reads;
    case place::write: return writes;
    }
    return 0;
}

struct wire::state {
    asio::any_io_executor executor;
    mishap what;
    counters seen;
    bool struck = false;

    /// Whether it happens at the next one of these.
    bool due(place p) const noexcept { return !struck && what.what != kind::none && what.where == p && what.at == seen.of(p); }
    /// How many of the next bytes come through before it happens; none: all.
    std::optional<std::size_t> due_within(place p, std::size_t bytes) const noexcept {
        if (struck || what.what == kind::none || what.where != p || what.at < seen.of(p) || what.at >= seen.of(p) + bytes) return std::nullopt;
        return what.at - seen.of(p);
    }
};

namespace {

/// A client's end of a connection. What it has begun lives on behind it: bytes that are late arrive after it has gone.
class tapped : public std::enable_shared_from_this<tapped> {
public:
    tapped(std::shared_ptr<wire::state> of, std::unique_ptr<testing::memory_stream> inner)
        : wire_(std::move(of)), inner_(std::move(inner)), until_(wire_->executor) {}

    void read(asio::mutable_buffer to, handler h) {
        const bool due = wire_->due(place::read);
        ++wire_->seen.reads;
        auto slot = asio::get_associated_cancellation_slot(h);
        if (slot.is_connected())
            slot.assign([weak = weak_from_this()](asio::cancellation_type) {
                if (const auto there = weak.lock()) there->stop_reading();
            });
        reader_ = std::make_unique<handler>(std::move(h));
        to_ = to;
        if (due) strike({});
        go_on_reading();
    }

    void write(asio::const_buffer from, handler h) {
        const bool due = wire_->due(place::write);
        ++wire_->seen.writes;
        if (due) {
            strike({});
            // Nobody knows of a write whether the others have got it, except where it failed at once.
            if (ended_) return complete(std::move(h), ended_, 0);
        }
        if (ended_) return complete(std::move(h), asio::error::broken_pipe, 0);
        const std::string_view bytes(static_cast<const char*>(from.data()), from.size());
        const auto cut = wire_->due_within(place::request_byte, bytes.size());
        wire_->seen.request_bytes += bytes.size();
        if (cut) {
            pass(bytes.substr(0, *cut));
            strike(bytes.substr(*cut));
            if (ended_ == asio::error::connection_reset) return complete(std::move(h), ended_, 0);
        } else if (!silent_ && late_ == way::request) {
            held_.append(bytes);
        } else if (!silent_) {
            return inner_->async_write_some(from, std::move(h));
        }
        complete(std::move(h), {}, bytes.size());
    }

    void close() {
        closed_ = true;
        if (late_ != way::request) inner_->close();
        stop_reading();
    }
    bool alive() { return !closed_ && !ended_ && (silent_ || late_ != way::none || inner_->alive()); }

private:
    enum class way : std::uint8_t { none, request, answer };

    void complete(handler h, error_code ec, std::size_t n) {
        asio::post(wire_->executor, [h = std::move(h), ec, n]() mutable { std::move(h)(ec, n); });
    }
    void complete_read(error_code ec, std::size_t n) {
        if (!reader_) return;
        handler h = std::move(*reader_);
        reader_.reset();
        complete(std::move(h), ec, n);
    }

    void pass(std::string_view bytes) {
        if (!bytes.empty()) inner_->async_write_some(asio::buffer(bytes), handler([](error_code, std::size_t) {}));
    }

    /// `rest` was to follow.
    void strike(std::string_view rest) {
        wire_->struck = true;
        switch (wire_->what.what) {
        case kind::none: break;
        case kind::close:
            ended_ = asio::error::eof;
            inner_->close();
            break;
        case kind::reset:
            ended_ = asio::error::connection_reset;
            inner_->reset();
            break;
        case kind::silence: silent_ = true; break;
        case kind::delay: {
            const bool of_answer = wire_->what.where == place::answer_byte || wire_->what.where == place::read;
            late_ = of_answer ? way::answer : way::request;
            held_ = rest;
            until_.expires_at(transport::clock::now() + wire_->what.length);
            until_.async_wait([self = shared_from_this()](error_code) { self->arrive(); });
            break;
        }
        }
    }

    void arrive() {
        if (std::exchange(late_, way::none) == way::request) {
            pass(std::exchange(held_, {}));
            if (closed_) inner_->close();
        }
        go_on_reading();
    }

    void go_on_reading() {
        if (!reader_ || reading_) return;
        if (closed_) return complete_read(asio::error::operation_aborted, 0);
        if (ended_) return complete_read(ended_, 0);
        if (silent_ || late_ == way::answer) return;
        if (!held_.empty() && late_ == way::none) {
            const std::size_t n = std::min(held_.size(), to_.size());
            std::memcpy(to_.data(), held_.data(), n);
            held_.erase(0, n);
            return complete_read({}, n);
        }
        reading_ = true;
        inner_->async_read_some(to_, asio::bind_cancellation_slot(stop_.slot(), [self = shared_from_this()](error_code ec, std::size_t n) {
            self->reading_ = false;
            self->on_read(ec, n);
        }));
    }

    void on_read(error_code ec, std::size_t n) {
        if (ended_ && reader_) return complete_read(ended_, 0);
        const auto cut = wire_->due_within(place::answer_byte, n);
        if (cut) {
            const std::string rest(static_cast<const char*>(to_.data()) + *cut, n - *cut);
            wire_->seen.answer_bytes += n;
            strike(rest);
            n = *cut;
            if (n == 0) return go_on_reading();
        } else if (silent_ && !ec) {
            return;
        } else {
            wire_->seen.answer_bytes += n;
        }
        complete_read(ec, n);
    }

    void stop_reading() {
        if (reading_) stop_.emit(asio::cancellation_type::terminal);
        else complete_read(asio::error::operation_aborted, 0);
    }

    std::shared_ptr<wire::state> wire_;
    std::unique_ptr<testing::memory_stream> inner_;
    transport::timer until_;
    asio::cancellation_signal stop_;
    std::unique_ptr<handler> reader_;   // Asio 1.81 cannot assign handlers
    asio::mutable_buffer to_;
    std::string held_;                  // what is late
    way late_ = way::none;
    error_code ended_;
    bool silent_ = false;
    bool closed_ = false;
    bool reading_ = false;
};

class tapped_stream final : public transport::byte_stream {
public:
    explicit tapped_stream(std::shared_ptr<tapped> of) : of_(std::move(of)) {}
    ~tapped_stream() override { of_->close(); }

    void async_read_some(asio::mutable_buffer to, handler h) override { of_->read(to, std::move(h)); }
    void async_write_some(asio::const_buffer from, handler h) override { of_->write(from, std::move(h)); }
    void close() noexcept override { of_->close(); }
    bool alive() noexcept override { return of_->alive(); }

private:
    std::shared_ptr<tapped> of_;
};

}  // namespace

wire::wire(asio::any_io_executor executor, const mishap& what) : state_(std::make_shared<state>()) {
    state_->executor = std::move(executor);
    state_->what = what;
}

result<std::unique_ptr<transport::byte_stream>> wire::lay(std::unique_ptr<testing::memory_stream> near) {
    const bool due = state_->due(place::connect);
    ++state_->seen.connects;
    if (due) {
        state_->struck = true;
        return error{asio::error::connection_refused, "connect"};
    }
    return std::unique_ptr<transport::byte_stream>(std::make_unique<tapped_stream>(std::make_shared<tapped>(state_, std::move(near))));
}

const wire::counters& wire::seen() const noexcept { return state_->seen; }
bool wire::struck() const noexcept { return state_->struck; }

}  // namespace dynconf::simulation_test
