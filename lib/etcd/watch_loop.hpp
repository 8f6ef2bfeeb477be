#pragma once

#include <dynconf/types.hpp>
#include <dynconf/watch.hpp>

#include "etcd/client_core.hpp"
#include "etcd/watch_sink.hpp"
#include "policy/backoff.hpp"
#include "policy/watch_cursor.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace dynconf::etcd {

/// Follows one range across any number of streams: opens, reads, resumes after the last whole revision. What messages
/// mean is the cursor's business. One next() at a time, on the core's strand; nothing runs in between, so a caller that
/// does not ask holds the server back and loses nothing.
class watch_loop {
public:
    struct connected { response_header header; std::string endpoint; };
    struct interrupted { error why; std::chrono::milliseconds pause; };   ///< `pause` until the next try.
    struct batch { revision_t revision; std::vector<event> events; };     ///< Whole revisions, the last is `revision`.
    struct history_lost { revision_t compact_revision; };
    using step = std::variant<connected, interrupted, batch, history_lost>;

    watch_loop(std::shared_ptr<client_core> core, key_range range, watch_options options);

    /// Cancelled: `interrupted` by operation_aborted; the next call goes on where this one was.
    asio::awaitable<step> next();
    /// Drops the stream and goes on from `next`.
    void restart(revision_t next);

private:
    std::optional<step> take_messages();
    asio::awaitable<result<void>> open();
    asio::awaitable<void> read();
    step fail(error why);

    std::shared_ptr<client_core> core_;
    key_range range_;
    watch_options options_;
    policy::watch_cursor cursor_;
    policy::backoff backoff_;
    std::unique_ptr<watch_sink> sink_;     // outlives stream_, which writes to it
    std::optional<client_core::stream> stream_;
    std::optional<error> ended_;           // why stream_ gives nothing more once its messages are taken
    std::optional<step> held_;             // came after a batch that was handed out first
    std::chrono::milliseconds pause_{0};
    unsigned failed_in_row_ = 0;           // until a stream has lasted for backoff_options::healthy
    bool told_ = false;                    // why there is no stream
    bool token_renewed_ = false;           // in that time
    std::optional<client_core::clock::time_point> confirmed_at_;
};

}  // namespace dynconf::etcd
