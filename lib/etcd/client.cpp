#include <dynconf/client.hpp>

#include "etcd/client_core.hpp"
#include "etcd/sealer.hpp"
#include "etcd/spawn.hpp"
#include "wire/message_reader.hpp"

#include <algorithm>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;

namespace {

/// The answer as it is, once it is known to be no error. It may be a token: no error quotes it.
class text_reply final : public etcd::reply {
public:
    std::string text;

private:
    void restart() override {
        text.clear();
        (void)reader_.finish();
    }
    bool write(std::string_view piece) override {
        text += piece;
        return reader_.write(piece);
    }
    result<void> take() override {
        if (auto failed = reader_.finish()) return std::move(*failed);
        return {};
    }

    static constexpr wire::shape nothing_known{.fields = {}, .secret = true};
    wire::message_reader reader_{nothing_known, nullptr, false};
};

/// Fit for the first line of a request: nothing in it can end that line.
bool is_path(std::string_view path) {
    const auto in_a_line = [](char c) { return c > ' ' && c < 0x7f; };
    return path.starts_with('/') && std::all_of(path.begin(), path.end(), in_a_line);
}

asio::awaitable<result<std::string>> call_raw(etcd::client_core& core, std::string_view path, const std::string& json, call_options options) {
    if (!is_path(path)) co_return error{errc::invalid_argument, "call: the path is none"};
    etcd::call what{path, path};
    what.safety = options.repeatable ? policy::safety::repeatable : policy::safety::at_most_once;
    if (options.timeout.count() > 0) what.due = etcd::client_core::clock::after(options.timeout);
    text_reply answer;
    auto done = co_await core.perform(what, json, answer);
    if (!done) co_return done.error();
    co_return std::move(answer.text);
}

}  // namespace

client::client(executor_type executor, client_options options)
    : executor_(std::move(executor)), core_(etcd::client_core::make(executor_, std::move(options))) {}

client::executor_type client::get_executor() const noexcept { return executor_; }

client client::within(std::string_view prefix) const {
    client view = *this;
    view.prefix_ += prefix;
    return view;
}

client client::sealed(key_ring keys, sealing_options options) const {
    client view = *this;
    const etcd::strand& on = core_->executor();
    view.sealer_ = etcd::owned_by(on, std::make_unique<etcd::sealer>(on, std::move(keys), std::move(options)));
    return view;
}

void client::start_call(std::shared_ptr<etcd::client_core> c, std::string path, std::string json, call_options options,
                        detail::erased_handler<std::string> h) {
    auto run = [path = std::move(path), json = std::move(json), options](std::shared_ptr<etcd::client_core> self) -> asio::awaitable<result<std::string>> {
        co_return co_await call_raw(*self, path, json, options);
    };
    etcd::spawn<std::string>(c->executor(), c, std::move(h), etcd::cancels::terminal_only, std::move(run));
}

}  // namespace dynconf
