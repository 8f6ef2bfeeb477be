#pragma once

#include <dynconf/endpoint.hpp>
#include <dynconf/error.hpp>
#include <dynconf/options.hpp>

#include "transport/condition.hpp"
#include "transport/connector.hpp"
#include "transport/http_session.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace dynconf::transport {

/// The sessions to one endpoint: at most `max_connections` at work, the one used last is used next. One strand.
/// Handed-out sessions keep the pool alive.
class session_pool : public std::enable_shared_from_this<session_pool> {
public:
    /// A session for one exchange. Goes back to the pool if it is reusable by then, else it is closed.
    class lease {
    public:
        lease(std::shared_ptr<session_pool> pool, std::unique_ptr<http_session> session) noexcept
            : pool_(std::move(pool)), session_(std::move(session)) {}
        lease(lease&&) noexcept = default;
        lease& operator=(lease&&) = delete;
        ~lease() {
            if (pool_) pool_->give_back(std::move(session_));
        }

        http_session& operator*() const noexcept { return *session_; }
        http_session* operator->() const noexcept { return session_.get(); }

    private:
        friend session_pool;

        std::shared_ptr<session_pool> pool_;
        std::unique_ptr<http_session> session_;
    };

    session_pool(asio::any_io_executor executor, const std::shared_ptr<connector>& connect, endpoint to,
                 const client_options& options);

    /// A place among those at work, with an idle session if there is one; waits for the next that comes free, until `due`.
    /// That there is none is the fault of this side, and says nothing about the endpoint.
    asio::awaitable<result<lease>> place(std::chrono::steady_clock::time_point due);
    /// A new session for a place that has none.
    asio::awaitable<result<void>> connect(lease& taken, std::chrono::steady_clock::time_point due);
    /// A session of its own, outside the pool and its limit: for streams.
    asio::awaitable<result<std::unique_ptr<http_session>>> connect(std::chrono::steady_clock::time_point due);

    const endpoint& to() const noexcept { return to_; }
    std::size_t idle() const noexcept { return idle_.size(); }
    void close_idle() noexcept { idle_.clear(); }

private:
    struct idle_session {
        std::unique_ptr<http_session> session;
        std::chrono::steady_clock::time_point since;
    };

    std::unique_ptr<http_session> take_idle();
    void give_back(std::unique_ptr<http_session> session) noexcept;
    void wake_next() noexcept;

    asio::any_io_executor executor_;
    std::shared_ptr<connector> connector_;
    endpoint to_;
    std::size_t max_connections_;
    std::chrono::milliseconds idle_timeout_;
    std::vector<idle_session> idle_;
    std::size_t at_work_ = 0;
    condition freed_;
};

}  // namespace dynconf::transport
