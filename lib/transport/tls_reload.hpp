#pragma once

#include <dynconf/error.hpp>
#include <dynconf/tls_options.hpp>

#include "policy/event_log.hpp"
#include "policy/file_changes.hpp"
#include "transport/tls.hpp"

#include <memory>

namespace dynconf::transport {

/// The TLS context for the next connection of a client: read when first needed, and anew when its files have changed. One
/// strand. `log` outlives it.
class tls_reload {
public:
    tls_reload(tls_options options, policy::event_log& log) : options_(std::move(options)), log_(log) {}

    /// An error only as long as nothing usable was ever read.
    result<std::shared_ptr<tls_context>> current();

private:
    tls_options options_;
    policy::event_log& log_;
    policy::file_changes changes_;
    std::shared_ptr<tls_context> last_;
};

}  // namespace dynconf::transport
