#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dynconf::test {

/// A wire to a server on loopback, with every fault of a network at the test's command. Faults add up until mend().
/// Blocking, from any one thread at a time; has a thread of its own.
class relay {
public:
    enum class way : std::uint8_t { request, answer };   ///< To the server, and back.
    enum class reach : std::uint8_t { all, open };       ///< All connections, or only those that are open now.
    struct counters {
        std::size_t accepted = 0;        ///< Since the start; those that were closed at once by a cut, too.
        std::size_t open = 0;
        std::uint64_t request_bytes = 0; ///< Passed on, each way.
        std::uint64_t answer_bytes = 0;
    };

    explicit relay(std::uint16_t to);
    ~relay();
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;

    /// The same for its whole life, also while it refuses.
    std::string endpoint() const;

    /// Ends the connections. With `all` those to come, too: they are accepted and closed at once.
    void cut(reach which = reach::all);
    /// As a host whose server is not running: connections end, further ones are refused.
    void refuse();
    /// Everything is accepted and acknowledged, nothing is passed on. What was lost stays lost: such a connection stays
    /// black after mend() and until somebody closes it.
    void black_hole(reach which = reach::all);
    /// Reads no more that way, as a network that is full: nothing is lost, all goes on after mend().
    void pause(way which);
    /// Each piece arrives `fixed` later, and up to `jitter` more, in order.
    void delay(std::chrono::milliseconds fixed, std::chrono::milliseconds jitter = {});
    /// About so many bytes a second each way, for each connection.
    void throttle(std::size_t bytes_per_second);
    /// Each connection made from now on ends once `bytes` have passed that way.
    void cut_after(way which, std::size_t bytes);
    /// The same for both ways together: as many as this says for each new connection.
    void cut_after(std::function<std::size_t()> bytes);
    /// Ends all faults, though not the connections they have spoiled.
    void mend();

    counters seen() const;
    std::size_t connections() const { return seen().open; }
    std::size_t accepted() const { return seen().accepted; }

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace dynconf::test
