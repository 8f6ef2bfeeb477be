#include "etcd/credential_keeper.hpp"

#include "crypto/hide.hpp"
#include "transport/clock.hpp"
#include "transport/offload.hpp"
#include "transport/secret_file.hpp"

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

namespace dynconf {

credentials_source credentials_source::environment(std::string username_variable, std::string password_variable) {
    return credentials_source(origin(variables{std::move(username_variable), std::move(password_variable)}));
}

credentials_source credentials_source::file(std::string username, std::filesystem::path password_file) {
    return credentials_source(origin(password_in_file{std::move(username), std::move(password_file)}));
}

credentials_source credentials_source::provider(provider_function ask, std::chrono::milliseconds timeout) {
    if (!ask) throw std::invalid_argument("dynconf: a provider of credentials that is no function");
    if (timeout <= std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: a provider of credentials without time");
    return credentials_source(origin(coroutine{std::move(ask), timeout}));
}

namespace etcd {

using detail::credentials_access;
using clock = transport::clock;

namespace {

constexpr std::chrono::seconds longest_read(10);
/// That may hang at the same time: one may read a file that another has replaced meanwhile.
constexpr long most_readers = 4;
constexpr std::size_t most_of_a_password = 64 * 1024;

error unavailable(std::string why) { return {errc::credentials_unavailable, std::move(why)}; }

result<secret> variable(const std::string& name) {
    const char* const text = std::getenv(name.c_str());
    if (!text || !*text) return unavailable("the environment variable " + name + " is not set");
    return secret(text);
}

result<secret> password_in(const std::filesystem::path& path) {
    const auto content = transport::read_secret_file(path.native(), most_of_a_password);
    if (!content) return unavailable("the password file " + content.error().message());
    secret found(transport::without_line_break(content->reveal()));
    if (found.empty()) return unavailable("the password file '" + path.native() + "': empty");
    return found;
}

credentials made_of(std::string username, secret password) {
    credentials c;
    c.username = std::move(username);
    c.password = std::move(password);
    return c;
}

/// What a provider answers; it may do so when nobody waits any more.
struct provided {
    std::optional<result<credentials>> answer;
    transport::condition* woken = nullptr;
};

}  // namespace

asio::awaitable<result<credentials>> credential_keeper::ask() {
    if (!from_) co_return unavailable("none were configured");
    const auto& origin = credentials_access::origin_of(*from_);
    if (const auto* where = std::get_if<credentials_access::variables>(&origin)) co_return co_await ask(*where);
    if (const auto* where = std::get_if<credentials_access::password_in_file>(&origin)) co_return co_await ask(*where);
    if (const auto* whom = std::get_if<credentials_access::coroutine>(&origin)) co_return co_await ask(*whom);
    co_return *std::get_if<credentials>(&origin);
}

asio::awaitable<result<credentials>> credential_keeper::ask(const credentials_access::variables& where) {
    auto name = variable(where.username);
    if (!name) co_return name.error();
    auto password = variable(where.password);
    if (!password) co_return password.error();
    co_return made_of(std::string(name->reveal()), std::move(*password));
}

asio::awaitable<result<credentials>> credential_keeper::ask(const credentials_access::password_in_file& where) {
    const char* const late = "the disk does not answer";
    auto place = readers_.take(most_readers);
    if (!place) co_return unavailable("the password file " + where.path.native() + ": " + late);
    std::function<result<secret>()> work = [place = std::move(place), path = where.path]() mutable {
        auto found = password_in(path);
        place.reset();   // before anybody hears of it
        return found;
    };
    std::function<clock::time_point()> limit = [due = clock::now() + longest_read] { return due; };
    result<secret> password = co_await transport::offload<secret>(strand_, answered_, std::move(work), std::move(limit), late);
    if (!password) {
        const error why = password.error();
        co_return why.code == errc::credentials_unavailable ? why : unavailable("the password file " + where.path.native() + ": " + why.message());
    }
    co_return made_of(where.username, std::move(*password));
}

asio::awaitable<result<credentials>> credential_keeper::ask(const credentials_access::coroutine& whom) {
    const auto shared = std::make_shared<provided>();
    shared->woken = &answered_;
    struct forgets {
        provided& what;
        ~forgets() { what.woken = nullptr; }
    };
    const forgets at_end{*shared};
    const auto stop = std::make_shared<asio::cancellation_signal>();

    auto run = [f = whom.ask]() -> asio::awaitable<credentials> {
        const credentials_source::provider_function copy = f;
        asio::awaitable<credentials> asked = copy();
        co_return co_await std::move(asked);
    };
    auto done = [shared, stop](const std::exception_ptr& thrown, credentials who) {
        if (!shared->woken) return;
        if (thrown) shared->answer.emplace(unavailable("the provider failed: " + to_error(thrown).message()));
        else shared->answer.emplace(std::move(who));
        shared->woken->notify_all();
    };
    asio::co_spawn(strand_, std::move(run), asio::bind_cancellation_slot(stop->slot(), asio::bind_executor(strand_, std::move(done))));

    const auto due = clock::after(whom.timeout);
    while (!shared->answer && clock::now() < due && !co_await transport::was_cancelled()) co_await answered_.wait(due);
    if (shared->answer) {
        result<credentials> answer = std::move(*shared->answer);
        if (answer) co_return answer;
        error why = answer.error();
        hide(why.detail);
        co_return why;
    }
    stop->emit(asio::cancellation_type::terminal);
    co_return unavailable("the provider gave no answer within " + std::to_string(whom.timeout.count()) + " ms");
}

void credential_keeper::hide(std::string& words) const {
    if (const credentials* known = state.known()) crypto::hide(words, {known->password.reveal()});
}

}  // namespace etcd

}  // namespace dynconf
