#pragma once

#include <chrono>
#include <cstddef>
#include <optional>

namespace dynconf::testing {

/// What is wrong with all connections to a member, those that are open and those to come. The default: nothing.
struct link_faults {
    std::chrono::milliseconds latency{0};   ///< Each way, each piece.
    std::chrono::milliseconds jitter{0};    ///< At most this much more, at random.
    /// Connections are refused. Those that are open go on: see fake_etcd::cut_connections().
    bool refuse = false;
    /// Nothing gets through that way; it arrives when the hole is gone, as with TCP. New connections wait with it.
    bool hold_requests = false;
    bool hold_answers = false;
    /// Answers come in pieces of `drip_bytes`, one each `drip_every`; 0: whole.
    std::size_t drip_bytes = 0;
    std::chrono::milliseconds drip_every{10};
    /// The part of new connections that are cut at once, from 0 to 1.
    double drop_connections = 0;
    /// The member closes what it has to close this much later.
    std::chrono::milliseconds close_delay{0};
};

/// What goes wrong with one exchange.
struct exchange_fault {
    /// The request gets no further than this many bytes: it is not executed, and the connection ends. A longer one is
    /// not touched.
    std::optional<std::size_t> cut_request;
    /// The request is executed, and the connection ends after this many bytes of the answer.
    std::optional<std::size_t> cut_answer;
    bool reset = false;              ///< A cut resets the connection instead of closing it.
    /// Before it is executed; the client may be gone by then.
    std::chrono::milliseconds delay{0};
    bool bad_json = false;           ///< The second half of the answer's body is lost, unless it is a refusal.
    int wrong_length = 0;            ///< Added to the answer's Content-Length.
    bool connection_close = false;   ///< The member announces the connection's end, and ends it.
};

}  // namespace dynconf::testing
