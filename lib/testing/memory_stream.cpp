#include "testing/memory_stream.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>

namespace dynconf::testing {

/// The bytes on their way to one end.
struct memory_stream::direction : std::enable_shared_from_this<direction> {
    explicit direction(asio::any_io_executor e) : reader(std::move(e)) {}

    std::size_t unread() const noexcept { return bytes.size() - taken; }

    std::size_t take(asio::mutable_buffer into) {
        const std::size_t n = std::min(unread(), into.size());
        std::memcpy(into.data(), bytes.data() + taken, n);
        taken += n;
        if (taken == bytes.size()) {
            bytes.clear();
            taken = 0;
        }
        return n;
    }

    static void complete(const asio::any_io_executor& on, handler h, boost::system::error_code ec, std::size_t n) {
        asio::post(on, [h = std::move(h), ec, n]() mutable { std::move(h)(ec, n); });
    }

    /// Lets the read that waits, if one does, have what there is.
    void wake() {
        if (!waiting || (unread() == 0 && !end)) return;
        handler h = std::move(*waiting);
        waiting.reset();
        const std::size_t n = take(to);
        complete(reader, std::move(h), n == 0 ? end : boost::system::error_code(), n);
    }
    void finish(boost::system::error_code how) {
        if (!end) end = how;
        wake();
    }
    void abort() {
        if (!waiting) return;
        handler h = std::move(*waiting);
        waiting.reset();
        complete(reader, std::move(h), asio::error::operation_aborted, 0);
    }

    asio::any_io_executor reader;
    std::string bytes;
    std::size_t taken = 0;
    boost::system::error_code end;      // what the reader gets behind the last byte
    bool reader_gone = false;
    std::unique_ptr<handler> waiting;   // Asio 1.81 cannot assign handlers
    asio::mutable_buffer to;
};

std::pair<std::unique_ptr<memory_stream>, std::unique_ptr<memory_stream>> memory_stream::make_pair(
    const asio::any_io_executor& one, const asio::any_io_executor& other) {
    auto to_one = std::make_shared<direction>(one);
    auto to_other = std::make_shared<direction>(other);
    return {std::unique_ptr<memory_stream>(new memory_stream(to_one, to_other)),
            std::unique_ptr<memory_stream>(new memory_stream(to_other, to_one))};
}

void memory_stream::async_read_some(asio::mutable_buffer to, handler h) {
    direction& in = *in_;
    if (!open_) return direction::complete(in.reader, std::move(h), asio::error::bad_descriptor, 0);
    auto slot = asio::get_associated_cancellation_slot(h);
    if (slot.is_connected())
        slot.assign([in = std::weak_ptr(in_)](asio::cancellation_type) {
            if (const auto there = in.lock()) there->abort();
        });
    in.to = to;
    in.waiting = std::make_unique<handler>(std::move(h));
    in.wake();
}

void memory_stream::async_write_some(asio::const_buffer from, handler h) {
    direction& out = *out_;
    const asio::any_io_executor& own = in_->reader;
    if (!open_) return direction::complete(own, std::move(h), asio::error::bad_descriptor, 0);
    if (in_->end == asio::error::connection_reset) return direction::complete(own, std::move(h), in_->end, 0);
    if (out.reader_gone) return direction::complete(own, std::move(h), asio::error::broken_pipe, 0);
    out.bytes.append(static_cast<const char*>(from.data()), from.size());
    out.wake();
    direction::complete(own, std::move(h), {}, from.size());
}

void memory_stream::close() noexcept {
    if (!std::exchange(open_, false)) return;
    in_->reader_gone = true;
    in_->abort();
    out_->finish(asio::error::eof);
}

void memory_stream::reset() noexcept {
    if (!open_) return;
    out_->bytes.clear();
    out_->taken = 0;
    out_->finish(asio::error::connection_reset);
    close();
}

bool memory_stream::alive() noexcept { return open_ && in_->unread() == 0 && !in_->end; }

}  // namespace dynconf::testing
