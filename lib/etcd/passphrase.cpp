#include <dynconf/passphrase.hpp>

#include "crypto/aead.hpp"
#include "crypto/derivation_record.hpp"
#include "crypto/envelope.hpp"
#include "etcd/kv_calls.hpp"
#include "etcd/start_call.hpp"
#include "transport/offload.hpp"
#include "wire/quote.hpp"

#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using crypto::derivation_record;
using etcd::view;

struct passphrase::state {
    state(const etcd::strand& on, std::string where, secret with, passphrase_options how)
        : record(std::move(where)), words(std::move(with)), options(std::move(how)), ended(on), woken(on) {}

    const std::string record;
    const secret words;
    const passphrase_options options;

    // strand
    std::optional<secret> key;
    bool busy = false;
    transport::condition ended;   // busy no more
    transport::condition woken;   // the thread has an answer
};

namespace {

using state = passphrase::state;

asio::awaitable<result<secret>> derive(const view& through, const std::shared_ptr<state>& s, derivation_record how) {
    std::function<result<secret>()> work = [words = s->words, how = std::move(how)] { return result<secret>(crypto::derive(words, how)); };
    std::function<transport::clock::time_point()> limit = [] { return transport::clock::time_point::max(); };
    result<secret> key = co_await transport::offload<secret>(through.core().executor(), s->woken, std::move(work), std::move(limit), {});
    if (!key && co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
    co_return key;
}

asio::awaitable<result<secret>> by_record(const view& through, const std::shared_ptr<state>& s, const std::string& text) {
    const auto named = [&s](error why) {
        why.detail = wire::quote(s->record) + ": " + why.detail;
        return why;
    };
    auto how = derivation_record::parse(text, passphrase::least_rounds, passphrase::most_rounds);
    if (!how) co_return named(how.error());
    const std::string check = how->check;
    result<secret> key = co_await derive(through, s, std::move(*how));
    if (key && !(secret(crypto::check_of(*key)) == secret(check)))
        co_return named({errc::seal_broken, "made with another passphrase"});
    co_return key;
}

/// The key of a new record, or of the one that somebody was faster with.
asio::awaitable<result<secret>> by_new_record(const view& through, const std::shared_ptr<state>& s) {
    derivation_record fresh;
    fresh.rounds = s->options.rounds;
    fresh.salt = crypto::random_bytes(derivation_record::salt_size);
    result<secret> key = co_await derive(through, s, fresh);
    if (!key) co_return key;
    fresh.check = crypto::check_of(*key);
    txn create;
    create.if_(version_of(s->record) == 0);
    create.then(op::put(s->record, fresh.text()));
    create.else_(op::range(key_range::key(s->record)));
    // Executed twice it finds its own record, and derives the key again.
    auto answer = co_await etcd::commit(through, std::move(create), {.name = "passphrase", .how = policy::safety::repeatable});
    if (!answer) co_return answer.error();
    if (answer->succeeded) co_return key;
    auto* found = etcd::answer_to<range_response>(*answer, 0);
    if (!found || found->kvs.size() != 1) co_return etcd::unfit_answer("passphrase", false);
    co_return co_await by_record(through, s, found->kvs.front().value);
}

asio::awaitable<result<secret>> find(const view& through, const std::shared_ptr<state>& s) {
    if (!s->options.record.empty()) co_return co_await by_record(through, s, s->options.record);
    auto found = co_await etcd::range_once(through, key_range::key(s->record), {});
    if (!found) co_return found.error();
    if (found->kvs.empty() && !s->options.make_record)
        co_return error{server_errc::key_not_found, "passphrase: the record " + wire::quote(s->record)};
    if (found->kvs.empty()) co_return co_await by_new_record(through, s);
    co_return co_await by_record(through, s, found->kvs.front().value);
}

/// One at a time; when it fails or is cancelled, the next one tries.
asio::awaitable<result<secret>> key_of(const view& through, const std::shared_ptr<state>& s) {
    while (s->busy) {
        co_await s->ended.wait();
        if (co_await transport::was_cancelled()) co_return error{asio::error::operation_aborted, {}};
    }
    if (s->key) co_return *s->key;
    struct only_one {
        explicit only_one(state& of) : what(of) { what.busy = true; }
        only_one(const only_one&) = delete;
        only_one& operator=(const only_one&) = delete;
        ~only_one() {
            what.busy = false;
            what.ended.notify_all();
        }
        state& what;
    };
    const only_one turn(*s);
    result<secret> key = co_await find(through, s);
    if (key) s->key = *key;
    co_return key;
}

asio::awaitable<result<std::string>> id_of(const view& through, const std::shared_ptr<state>& s, const std::string& name) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string id = name + '-';
    const auto key = co_await key_of(through, s);
    if (!key) co_return key.error();
    for (const char c : crypto::check_of(*key).substr(0, 4)) {
        id += digits[static_cast<unsigned char>(c) >> 4];
        id += digits[static_cast<unsigned char>(c) & 15];
    }
    if (!crypto::is_key_id(id) || name.empty()) co_return error{errc::invalid_argument, wire::quote(name) + " as the name of a key"};
    co_return id;
}

}  // namespace

passphrase::passphrase(const client& c, std::string record, secret words, passphrase_options options) : facet(c) {
    if (record.empty()) throw std::invalid_argument("dynconf: a passphrase's record needs a key");
    if (words.empty()) throw std::invalid_argument("dynconf: an empty passphrase");
    if (options.rounds < least_rounds || options.rounds > most_rounds)
        throw std::invalid_argument("dynconf: passphrase_options::rounds is not from 600 000 to 10 000 000");
    origin_.sealer.reset();   // the record is what makes the key
    const auto& on = origin_.core->executor();
    state_ = etcd::owned_by(on, std::make_unique<state>(on, std::move(record), std::move(words), std::move(options)));
}

void passphrase::start_key(detail::call_origin from, std::shared_ptr<state> s, detail::erased_handler<secret> h) {
    auto body = [s = std::move(s)](const view& through) { return key_of(through, s); };
    etcd::start_waiting<secret>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

void passphrase::start_id(detail::call_origin from, std::shared_ptr<state> s, std::string name, detail::erased_handler<std::string> h) {
    auto body = [s = std::move(s), name = std::move(name)](const view& through) { return id_of(through, s, name); };
    etcd::start_waiting<std::string>(from, etcd::cancels::terminal_only, std::move(h), std::move(body));
}

}  // namespace dynconf
