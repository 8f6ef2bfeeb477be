#pragma once

#include "transport/byte_stream.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <utility>

namespace dynconf::testing {

namespace asio = boost::asio;

/// One end of a connection without a network. Both ends live on one thread; operations complete through the end's
/// executor, never inside the call.
class memory_stream final : public transport::byte_stream {
public:
    static std::pair<std::unique_ptr<memory_stream>, std::unique_ptr<memory_stream>> make_pair(
        const asio::any_io_executor& one, const asio::any_io_executor& other);
    ~memory_stream() override { close(); }

    void async_read_some(asio::mutable_buffer to, handler h) override;
    void async_write_some(asio::const_buffer from, handler h) override;
    /// The other end reads what was written, then the end.
    void close() noexcept override;
    bool alive() noexcept override;
    /// The other end reads nothing more, and fails.
    void reset() noexcept;

private:
    struct direction;
    memory_stream(std::shared_ptr<direction> in, std::shared_ptr<direction> out) : in_(std::move(in)), out_(std::move(out)) {}

    std::shared_ptr<direction> in_;
    std::shared_ptr<direction> out_;
    bool open_ = true;
};

}  // namespace dynconf::testing
