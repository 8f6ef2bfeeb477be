#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <memory>
#include <utility>

namespace dynconf {

/// What operators ask of a cluster. A handle; safe to use from any thread.
class maintenance {
public:
    DYNCONF_API explicit maintenance(const client& c);

    /// What the member that answers says of itself; also without a leader. Takes terminal and total cancellation.
    template <class Token = default_token>
    auto status(Token&& token = {}) {
        return detail::initiate<status_response>(std::forward<Token>(token),
            [c = core_](detail::erased_handler<status_response> h) { start_status(c, std::move(h)); });
    }

    /// Discards all history before `revision`: older reads and watches then fail with server_errc::compacted.
    template <class Token = default_token>
    auto compact(revision_t revision, Token&& token = {}) {
        return detail::initiate_write<void>(std::forward<Token>(token),
            [c = core_, revision](detail::erased_handler<void> h) { start_compact(c, revision, std::move(h)); });
    }

private:
    using core = std::shared_ptr<etcd::client_core>;
    DYNCONF_API static void start_status(core, detail::erased_handler<status_response>);
    DYNCONF_API static void start_compact(core, revision_t, detail::erased_handler<void>);

    core core_;
};

}  // namespace dynconf
