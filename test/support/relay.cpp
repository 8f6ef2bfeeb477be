#include "support/relay.hpp"

#include "support/io_threads.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <future>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <utility>

namespace dynconf::test {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);
constexpr auto no_limit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t most_queued = 256 * 1024;   // past it the sender feels the delay
const asio::ip::address loopback = asio::ip::address_v4::loopback();

/// The faults in force; one for all connections, but for what is decided when a connection is made.
struct weather {
    bool cut = false;
    bool black = false;
    std::array<bool, 2> paused{};
    std::array<std::size_t, 2> limit{no_limit, no_limit};
    std::function<std::size_t()> limit_together;
    std::chrono::milliseconds fixed{0}, jitter{0};
    std::size_t bytes_per_second = no_limit;
};

/// What is on its way in one direction.
struct lane {
    explicit lane(const asio::any_io_executor& executor)
        : changed(executor, clock::time_point::max()), until_due(executor) {}
    void wake() { changed.cancel(); }
    void end() {
        changed.cancel();
        until_due.cancel();
    }

    struct piece {
        clock::time_point due;
        std::string bytes;
    };
    std::deque<piece> on_the_way;
    std::size_t queued = 0;
    std::size_t left = no_limit;   // bytes until the cut
    bool no_more = false;
    asio::steady_timer changed;
    asio::steady_timer until_due;
};

struct wire {
    explicit wire(tcp::socket from)
        : near(std::move(from)), far(near.get_executor()), lanes{lane(near.get_executor()), lane(near.get_executor())} {}
    void close() {
        boost::system::error_code ignored;
        near.close(ignored);
        far.close(ignored);
        closed = true;
        for (lane& l : lanes) l.end();
    }

    tcp::socket near, far;
    std::array<lane, 2> lanes;
    std::size_t left_together = no_limit;
    bool black = false;
    bool closed = false;
};

}  // namespace

class relay::impl {
public:
    explicit impl(std::uint16_t to) : to_(loopback, to) {
        // Below the range of outgoing ports: while it refuses, nobody else shall be given the port.
        std::uniform_int_distribution<int> pick(15'000, 32'000);
        for (int tries = 0; port_ == 0; ++tries) {
            const auto port = static_cast<std::uint16_t>(pick(random_));
            if (listen(port)) port_ = port;
            else if (tries == 1000) throw std::runtime_error("no free port on loopback");
        }
    }
    ~impl() {
        on_thread([this] {
            ending_ = true;
            stop_listening();
            close_all();
        });
    }

    template <class F>
    void on_thread(F f) {
        std::packaged_task<void()> task(std::move(f));   // use_future(f) makes g++ 12 warn
        std::future<void> done = task.get_future();
        asio::post(thread_.get_executor(), [t = std::move(task)]() mutable { t(); });
        done.get();
    }

    // The rest is for the thread only.
    void close_all() {
        for (const auto& w : std::set(open_)) w->close();
    }
    void stop_listening() {
        if (acceptor_) acceptor_->close();
        acceptor_.reset();
    }
    bool listen(std::uint16_t port) {
        auto made = std::make_shared<tcp::acceptor>(thread_.get_executor());
        boost::system::error_code ec;
        made->open(tcp::v4(), ec);
        if (!ec) made->set_option(tcp::acceptor::reuse_address(true), ec);
        if (!ec) made->bind(tcp::endpoint(loopback, port), ec);
        if (!ec) made->listen(asio::socket_base::max_listen_connections, ec);
        if (ec) return false;
        acceptor_ = made;
        asio::co_spawn(thread_.get_executor(), accept(std::move(made)), asio::detached);
        return true;
    }
    void mend() {
        now_ = weather();
        if (!acceptor_ && !ending_ && !listen(port_)) throw std::runtime_error("the relay's port is taken");
        wake_all();
    }
    void wake_all() {
        for (const auto& w : open_)
            for (lane& l : w->lanes) l.wake();
    }
    void blacken_open() {
        for (const auto& w : open_) w->black = true;
        wake_all();
    }

    weather now_;
    counters seen_;
    std::set<std::shared_ptr<wire>> open_;
    std::uint16_t port_ = 0;

private:
    asio::awaitable<void> accept(std::shared_ptr<tcp::acceptor> from) {
        for (;;) {
            auto [ec, socket] = co_await from->async_accept(as_result);
            if (!from->is_open()) break;
            if (ec) continue;
            ++seen_.accepted;
            if (now_.cut) continue;   // closes it
            auto made = std::make_shared<wire>(std::move(socket));
            made->black = now_.black;
            for (std::size_t i = 0; i < 2; ++i) made->lanes[i].left = now_.limit[i];
            if (now_.limit_together) made->left_together = now_.limit_together();
            asio::co_spawn(thread_.get_executor(), serve(std::move(made)), asio::detached);
        }
    }
    asio::awaitable<void> serve(std::shared_ptr<wire> w) {
        open_.insert(w);
        if (!w->black) {   // else nobody answers, whoever is there
            auto [ec] = co_await w->far.async_connect(to_, as_result);
            if (ec) {
                w->close();
                open_.erase(w);
                co_return;
            }
            asio::co_spawn(thread_.get_executor(), take(w, way::answer), asio::detached);
            asio::co_spawn(thread_.get_executor(), give(w, way::answer), asio::detached);
            asio::co_spawn(thread_.get_executor(), give(w, way::request), asio::detached);
        }
        co_await take(w, way::request);
        while (!w->closed) co_await w->lanes[0].changed.async_wait(as_result);
        open_.erase(w);
    }

    asio::awaitable<void> take(std::shared_ptr<wire> w, way which) {
        const auto index = static_cast<std::size_t>(which);
        lane& l = w->lanes[index];
        tcp::socket& from = which == way::request ? w->near : w->far;
        std::array<char, 16 * 1024> piece;
        while (!w->closed) {
            if (!w->black && (now_.paused[index] || l.queued >= most_queued)) {
                co_await l.changed.async_wait(as_result);
                continue;
            }
            auto [ec, n] = co_await from.async_read_some(asio::buffer(piece), as_result);
            if (ec) break;
            if (w->black) continue;
            // A pause that began meanwhile keeps this piece back, too.
            const std::size_t some = std::min({n, l.left, w->left_together});
            l.on_the_way.push_back({clock::now() + lag(), std::string(piece.data(), some)});
            l.queued += some;
            if (l.left != no_limit) l.left -= some;
            if (w->left_together != no_limit) w->left_together -= some;
            l.wake();
            if (l.left == 0 || w->left_together == 0) break;
        }
        l.no_more = true;
        if (w->black && which == way::request) w->close();   // that the server has gone is not told through a black hole
        l.wake();
    }
    asio::awaitable<void> give(std::shared_ptr<wire> w, way which) {
        const auto index = static_cast<std::size_t>(which);
        lane& l = w->lanes[index];
        tcp::socket& to = which == way::request ? w->far : w->near;
        while (!w->closed && !w->black) {
            if (now_.paused[index] || l.on_the_way.empty()) {
                if (l.no_more && l.on_the_way.empty()) break;
                co_await l.changed.async_wait(as_result);
                continue;
            }
            lane::piece next = std::move(l.on_the_way.front());
            l.on_the_way.pop_front();
            l.queued -= next.bytes.size();
            l.wake();
            if (next.due > clock::now()) {
                l.until_due.expires_at(next.due);
                co_await l.until_due.async_wait(as_result);
            }
            if (w->closed || w->black) break;
            auto [failed, written] = co_await asio::async_write(to, asio::buffer(next.bytes), as_result);
            if (failed) break;
            (which == way::request ? seen_.request_bytes : seen_.answer_bytes) += written;
            if (now_.bytes_per_second != no_limit) {
                l.until_due.expires_after(std::chrono::microseconds(written * 1'000'000 / now_.bytes_per_second));
                co_await l.until_due.async_wait(as_result);
            }
        }
        if (!w->black) w->close();
    }
    clock::duration lag() {
        if (now_.jitter.count() == 0) return now_.fixed;
        std::uniform_int_distribution<std::int64_t> more(0, now_.jitter.count());
        return now_.fixed + std::chrono::milliseconds(more(random_));
    }

    tcp::endpoint to_;
    bool ending_ = false;
    std::mt19937 random_{std::random_device{}()};
    std::shared_ptr<tcp::acceptor> acceptor_;   // none while it refuses
    io_threads thread_{1};                      // last: gone first
};

relay::relay(std::uint16_t to) : impl_(std::make_unique<impl>(to)) {}
relay::~relay() = default;

std::string relay::endpoint() const { return "http://127.0.0.1:" + std::to_string(impl_->port_); }

void relay::cut(reach which) {
    impl_->on_thread([&] {
        if (which == reach::all) impl_->now_.cut = true;
        impl_->close_all();
    });
}
void relay::refuse() {
    impl_->on_thread([this] {
        impl_->stop_listening();
        impl_->close_all();
    });
}
void relay::black_hole(reach which) {
    impl_->on_thread([&] {
        if (which == reach::all) impl_->now_.black = true;
        impl_->blacken_open();
    });
}
void relay::pause(way which) {
    impl_->on_thread([&] { impl_->now_.paused[static_cast<std::size_t>(which)] = true; });
}
void relay::delay(std::chrono::milliseconds fixed, std::chrono::milliseconds jitter) {
    impl_->on_thread([&] {
        impl_->now_.fixed = fixed;
        impl_->now_.jitter = jitter;
    });
}
void relay::throttle(std::size_t bytes_per_second) {
    impl_->on_thread([&] { impl_->now_.bytes_per_second = std::max<std::size_t>(1, bytes_per_second); });
}
void relay::cut_after(way which, std::size_t bytes) {
    impl_->on_thread([&] { impl_->now_.limit[static_cast<std::size_t>(which)] = bytes; });
}
void relay::cut_after(std::function<std::size_t()> bytes) {
    impl_->on_thread([&] { impl_->now_.limit_together = std::move(bytes); });
}
void relay::mend() {
    impl_->on_thread([this] { impl_->mend(); });
}
relay::counters relay::seen() const {
    counters now;
    impl_->on_thread([&] {
        now = impl_->seen_;
        now.open = impl_->open_.size();
    });
    return now;
}

}  // namespace dynconf::test
