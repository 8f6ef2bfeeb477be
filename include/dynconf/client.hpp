#pragma once

#include <dynconf/detail/export.hpp>
#include <dynconf/options.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace dynconf {

namespace etcd { class client_core; }
namespace detail { struct client_access; }

/// The connection to one etcd cluster: endpoints, sessions, token. A handle; copies share the same core, and operations
/// under way keep it alive. Does nothing until a facet (`kv`, `watcher`, `maintenance`, `mirror`) asks for something, and
/// has no thread of its own: all its work runs on a strand of `executor`. Safe to use from any thread. As with Asio's own
/// objects, the context of `executor` has to outlive the client and all that was made of it.
///
/// Fork: with no thread running the io_context, call its notify_fork() before and after, as Asio wants it. Then exactly one
/// of the two processes may go on with the client and all that was made of it, parent or child: both hold the same
/// connections, and what one reads the other misses. The other one must neither run the io_context nor destroy these
/// objects while the first goes on (over TLS that would end its connections); `_exit` and `exec` are safe. A process
/// that needs a client on both sides makes a new one, with a new io_context, in one of them.
class DYNCONF_API client {
public:
    using executor_type = boost::asio::any_io_executor;

    /// Throws std::invalid_argument for options that cannot work; the message names the culprit.
    explicit client(executor_type executor, client_options options = {});

    executor_type get_executor() const noexcept;

private:
    friend detail::client_access;

    executor_type executor_;
    std::shared_ptr<etcd::client_core> core_;
};

}  // namespace dynconf
