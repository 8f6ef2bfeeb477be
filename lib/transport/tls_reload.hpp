#pragma once

#include <dynconf/error.hpp>
#include <dynconf/tls_options.hpp>

#include "policy/event_log.hpp"
#include "transport/clock.hpp"
#include "transport/tls.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <memory>

namespace dynconf::transport {

/// The TLS context for the next connection of a client: read when first needed, and anew when its files have changed. They
/// are looked at by a thread of their own, since a disk may hang. One strand. `log` outlives it.
class tls_reload {
public:
    using context = std::shared_ptr<tls_context>;

    tls_reload(asio::any_io_executor executor, tls_options options, policy::event_log& log);

    /// An error only when cancelled, and as long as nothing usable was ever read; that is waited for until `due`, and a look
    /// at what may have changed for a second at most.
    asio::awaitable<result<context>> current(clock::time_point due);
    /// Where open connections are used and none is made, nobody asks for the context: to be awaited before one is used again.
    /// Looks if that was last done 10 s ago; what is no longer current is `tls_context::replaced` by then.
    asio::awaitable<void> look_after_open(clock::time_point due);

private:
    struct state;
    static asio::awaitable<result<context>> current_of(std::shared_ptr<state> s, clock::time_point due);

    std::shared_ptr<state> state_;   // those who wait for a look may outlive this
};

}  // namespace dynconf::transport
