#pragma once

#include "testing/memory_stream.hpp"
#include "transport/byte_stream.hpp"

#include <dynconf/error.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace dynconf::simulation_test {

namespace asio = boost::asio;

/// One thing that goes wrong once between a client and its members, at a place counted over all connections of a run.
struct mishap {
    enum class kind : std::uint8_t {
        none,
        close,     ///< The connection ends, in both directions.
        reset,     ///< The same; what is on its way is lost.
        silence,   ///< Nothing gets through any more, either way.
        delay,     ///< What is behind that place arrives later.
    };
    enum class place : std::uint8_t { request_byte, answer_byte, connect, read, write };

    kind what = kind::none;
    place where = place::request_byte;
    std::size_t at = 0;                        ///< From 0; so many come through before it.
    std::chrono::milliseconds length{0};       ///< Of a delay.
};

/// What lies between a client and its members: counts all that passes, and lets one mishap happen. One thread.
class wire {
public:
    struct counters {
        std::size_t request_bytes = 0, answer_bytes = 0, connects = 0, reads = 0, writes = 0;
        std::size_t of(mishap::place p) const noexcept;
    };

    wire(asio::any_io_executor executor, const mishap& what);

    /// For memory_network::between.
    result<std::unique_ptr<transport::byte_stream>> lay(std::unique_ptr<testing::memory_stream> near);
    const counters& seen() const noexcept;
    bool struck() const noexcept;

    struct state;

private:
    std::shared_ptr<state> state_;
};

}  // namespace dynconf::simulation_test
