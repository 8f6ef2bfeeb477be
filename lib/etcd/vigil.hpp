#pragma once

#include "etcd/client_core.hpp"
#include "transport/http_session.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <cstddef>
#include <memory>

namespace dynconf::etcd {

/// As long as it lives, the member is asked for its status over another connection, when policy::signs_of_life says so, and the
/// exchange on `http` ends with errc::deadline_exceeded when that gives up. On the strand.
class client_core::vigil {
public:
    vigil(client_core& core, std::size_t index, transport::http_session& http);
    vigil(const vigil&) = delete;
    vigil& operator=(const vigil&) = delete;
    ~vigil();

private:
    struct state {
        transport::http_session* http;
        asio::cancellation_signal over;
    };
    static asio::awaitable<void> keep(std::shared_ptr<client_core> core, std::size_t index, std::shared_ptr<state> of);

    strand strand_;
    std::shared_ptr<state> state_;
};

}  // namespace dynconf::etcd
