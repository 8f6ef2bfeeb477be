#pragma once

#include <dynconf/error.hpp>

#include "transport/await.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <tuple>

namespace dynconf::transport {

/// A connected stream of bytes, whatever carries it: TCP, TLS, a unix socket, a script of a test. HTTP is compiled
/// once on top of it. To be used from one strand.
class byte_stream {
public:
    using handler = asio::any_completion_handler<void(boost::system::error_code, std::size_t)>;

    virtual ~byte_stream() = default;

    virtual void async_read_some(asio::mutable_buffer, handler) = 0;
    virtual void async_write_some(asio::const_buffer, handler) = 0;
    /// Hard and at once: no TLS farewell, no waiting. Operations under way end with operation_aborted.
    virtual void close() noexcept = 0;
    /// What it means that the stream failed with `ec`: the code to report and words for it. For an end before the first byte
    /// of an answer the words say what may be behind it.
    virtual error explain(const boost::system::error_code& ec) const { return {ec, "plain http to a TLS port?"}; }
    /// Connected, and the peer has not begun to close. To be asked while idle, before a request goes out.
    virtual bool alive() noexcept = 0;
    /// It was opened with certificates or keys in whose place others have come: for nothing new.
    virtual bool outdated() const noexcept { return false; }

    asio::awaitable<std::tuple<boost::system::error_code, std::size_t>> read_some(asio::mutable_buffer to) {
        return asio::async_initiate<decltype(as_result), void(boost::system::error_code, std::size_t)>(
            [this, to](auto h) { async_read_some(to, handler(std::move(h))); }, as_result);
    }
    asio::awaitable<std::tuple<boost::system::error_code, std::size_t>> write_some(asio::const_buffer from) {
        return asio::async_initiate<decltype(as_result), void(boost::system::error_code, std::size_t)>(
            [this, from](auto h) { async_write_some(from, handler(std::move(h))); }, as_result);
    }
};

/// Any Asio stream as a byte_stream. `Traits::close(stream)` and `Traits::alive(stream)` do the rest.
template <class Stream, class Traits>
class stream_adapter final : public byte_stream {
public:
    template <class... Args>
    explicit stream_adapter(Args&&... args) : stream_(std::forward<Args>(args)...) {}

    Stream& stream() noexcept { return stream_; }
    void async_read_some(asio::mutable_buffer to, handler h) override { stream_.async_read_some(to, std::move(h)); }
    void async_write_some(asio::const_buffer from, handler h) override { stream_.async_write_some(from, std::move(h)); }
    void close() noexcept override { Traits::close(stream_); }
    bool alive() noexcept override { return Traits::alive(stream_); }

private:
    Stream stream_;
};

}  // namespace dynconf::transport
