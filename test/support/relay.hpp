#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include "support/io_threads.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace dynconf::test {

/// A wire to a server on loopback, which the test can cut: what goes through it is closed, and what comes is closed at
/// once until it is mended. Blocking; has a thread of its own.
class relay {
public:
    explicit relay(std::uint16_t to)
        : to_(loopback, to) {
        acceptor_.emplace(thread_.get_executor(), tcp::endpoint(loopback, 0));
        port_ = acceptor_->local_endpoint().port();
        boost::asio::co_spawn(thread_.get_executor(), accept(), boost::asio::detached);
    }
    ~relay() {
        on_thread([this] {
            acceptor_->close();
            close_all();
        });
    }

    std::string endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

    void cut() {
        on_thread([this] {
            cut_ = true;
            close_all();
        });
    }
    void mend() {
        on_thread([this] { cut_ = false; });
    }
    /// What the server has sent through it so far.
    std::uint64_t bytes_answered() const noexcept { return answered_; }
    /// Open connections through it.
    std::size_t connections() {
        std::size_t count = 0;
        on_thread([&] { count = open_.size(); });
        return count;
    }

    /// Connections that were ever opened through it.
    std::size_t accepted() const noexcept { return accepted_; }

private:
    using tcp = boost::asio::ip::tcp;
    struct wire {
        explicit wire(tcp::socket from) : near(std::move(from)), far(near.get_executor()) {}
        void close() {
            boost::system::error_code ignored;
            near.close(ignored);
            far.close(ignored);
        }
        tcp::socket near, far;
    };
    static constexpr auto as_result = boost::asio::as_tuple(boost::asio::use_awaitable);
    static inline const boost::asio::ip::address loopback = boost::asio::ip::address_v4::loopback();

    template <class F>
    void on_thread(F f) {
        boost::asio::post(thread_.get_executor(), boost::asio::use_future(f)).get();
    }
    void close_all() {
        for (const auto& w : open_) w->close();
    }

    boost::asio::awaitable<void> accept() {
        for (;;) {
            auto [ec, socket] = co_await acceptor_->async_accept(as_result);
            if (!acceptor_->is_open()) break;
            if (ec || cut_) continue;   // closes it
            auto made = std::make_shared<wire>(std::move(socket));
            boost::asio::co_spawn(thread_.get_executor(), serve(std::move(made)), boost::asio::detached);
        }
        acceptor_.reset();
    }
    boost::asio::awaitable<void> serve(std::shared_ptr<wire> w) {
        open_.insert(w);
        ++accepted_;
        auto [ec] = co_await w->far.async_connect(to_, as_result);
        if (ec) {
            w->close();
            open_.erase(w);
            co_return;
        }
        boost::asio::co_spawn(thread_.get_executor(), copy(w, w->near, w->far), boost::asio::detached);
        co_await copy(w, w->far, w->near);
        open_.erase(w);
    }
    boost::asio::awaitable<void> copy(std::shared_ptr<wire> w, tcp::socket& from, tcp::socket& to) {
        std::array<char, 16 * 1024> piece;
        for (;;) {
            auto [ec, n] = co_await from.async_read_some(boost::asio::buffer(piece), as_result);
            if (ec) break;
            if (&to == &w->near) answered_ += n;
            auto [failed, written] =
                co_await boost::asio::async_write(to, boost::asio::buffer(piece.data(), n), as_result);
            if (failed) break;
        }
        w->close();
    }

    tcp::endpoint to_;
    std::set<std::shared_ptr<wire>> open_;
    bool cut_ = false;
    std::atomic<std::size_t> accepted_{0};
    std::uint16_t port_ = 0;
    std::atomic<std::uint64_t> answered_{0};
    std::optional<tcp::acceptor> acceptor_;   // touched, like all above, by the thread only; gone when it ends
    io_threads thread_{1};
};

}  // namespace dynconf::test
