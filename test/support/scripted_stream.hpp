#pragma once

#include "transport/byte_stream.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace dynconf::test {

/// What a scripted stream does and what was done to it; outlives the stream.
struct stream_script {
    std::string answer;                       ///< What can be read, once the first byte was written.
    std::size_t piece = std::string::npos;    ///< The most that one read or write takes.
    enum class end { eof, silence } after = end::eof;   ///< When the answer is used up.
    int fail_at = -1;                         ///< This operation (from 0, reads and writes counted together) fails...
    boost::system::error_code failure = boost::asio::error::connection_reset;   ///< ...so.
    int hang_at = -1;                         ///< This operation never completes, unless cancelled or closed.

    std::string written;
    std::size_t read = 0;
    int operations = 0;
    int closes = 0;
    bool open = true;
    bool peer_alive = true;
    bool destroyed = false;
};

/// A byte_stream without a network. Operations complete through the executor, never inside the call.
class scripted_stream final : public transport::byte_stream {
public:
    scripted_stream(boost::asio::any_io_executor executor, std::shared_ptr<stream_script> script)
        : executor_(std::move(executor)), script_(std::move(script)) {}
    ~scripted_stream() override {
        close();
        script_->destroyed = true;
    }

    void async_read_some(boost::asio::mutable_buffer to, handler h) override {
        stream_script& s = *script_;
        if (!next_operation(h)) return;
        const std::size_t left = s.answer.size() - s.read;
        const std::size_t n = s.written.empty() ? 0 : std::min({left, to.size(), s.piece});
        if (n == 0) {
            if (s.after == stream_script::end::silence) return wait(std::move(h));
            return complete(std::move(h), boost::asio::error::eof, 0);
        }
        std::memcpy(to.data(), s.answer.data() + s.read, n);
        s.read += n;
        complete(std::move(h), {}, n);
    }

    void async_write_some(boost::asio::const_buffer from, handler h) override {
        stream_script& s = *script_;
        if (!next_operation(h)) return;
        const std::size_t n = std::min(from.size(), s.piece);
        s.written.append(static_cast<const char*>(from.data()), n);
        complete(std::move(h), {}, n);
    }

    void close() noexcept override {
        ++script_->closes;
        script_->open = false;
        abort_waiting();
    }

    bool alive() noexcept override { return script_->open && script_->peer_alive && script_->read == script_->answer.size(); }

private:
    // False when the script has dealt with the operation.
    bool next_operation(handler& h) {
        stream_script& s = *script_;
        const int number = s.operations++;
        if (!s.open) complete(std::move(h), boost::asio::error::bad_descriptor, 0);
        else if (number == s.fail_at) complete(std::move(h), s.failure, 0);
        else if (number == s.hang_at) wait(std::move(h));
        else return true;
        return false;
    }

    void complete(handler h, boost::system::error_code ec, std::size_t n) {
        boost::asio::post(executor_, [h = std::move(h), ec, n]() mutable { std::move(h)(ec, n); });
    }

    void wait(handler h) {
        auto slot = boost::asio::get_associated_cancellation_slot(h);
        if (slot.is_connected())
            slot.assign([this](boost::asio::cancellation_type) { abort_waiting(); });
        waiting_ = std::make_unique<handler>(std::move(h));
    }

    void abort_waiting() {
        if (const auto aborted = std::exchange(waiting_, nullptr)) complete(std::move(*aborted), boost::asio::error::operation_aborted, 0);
    }

    boost::asio::any_io_executor executor_;
    std::shared_ptr<stream_script> script_;
    std::unique_ptr<handler> waiting_;   // Asio 1.81 cannot assign handlers
};

}  // namespace dynconf::test
