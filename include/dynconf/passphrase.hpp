#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/secret.hpp>

#include <memory>
#include <string>
#include <utility>

namespace dynconf {

struct passphrase_options {
    passphrase_options() {}   // user-provided on purpose: see rotation_options

    /// Of PBKDF2-HMAC-SHA256, for a record that is made anew: `passphrase::least_rounds` to `most_rounds`.
    unsigned rounds = 600'000;
    /// The content of the record where it is known, say from a file: then etcd is not asked, and may be away.
    std::string record;
    /// Makes a record where etcd has none. False for who knows that there is one, or should be: then it is
    /// server_errc::key_not_found, and nobody goes on with another key because the record was lost.
    bool make_record = true;
};

/// A key of a ring out of words that people remember, for who has no place for random keys. It is as strong as the words: use
/// a sealing_key of its own where you can.
///
/// Beside the words it takes a salt, which is no secret and has to be the same everywhere: a record in etcd, one line of text
/// that the first process to ask makes. It also holds 16 bytes by which wrong words are noticed before anything is sealed.
/// Guard it by a role as you would any setting, and back it up: who changes it can only make the words seem wrong, but who
/// deletes it, or brings back a time before it, has the next process make another, and that is another key. `id` tells the two
/// apart; by an id of your own, values of the one seem broken to who has the other.
///
///     passphrase words(etcd, "/keys/2026", secret(text));
///     secret key = co_await words.key();
///     std::string id = co_await words.id("2026");       // "2026-5a0c11f7"
///     key_ring keys(id, sealing_key(key));
///
/// A handle; safe to use from any thread. Copies share the key.
class passphrase : public detail::facet<passphrase> {
public:
    static constexpr unsigned least_rounds = 600'000;
    static constexpr unsigned most_rounds = 10'000'000;

    /// `record` is the key of the record as `c` names it; its value is never sealed. Throws std::invalid_argument for an empty
    /// key, empty words or other rounds than these.
    DYNCONF_API passphrase(const client& c, std::string record, secret words, passphrase_options options = {});

    /// 32 bytes for a sealing_key. The first call derives them, which takes a quarter of a second or more, on a thread of its own;
    /// all others have what it found. Errors: seal_broken for words other than those the record was made with, or a record
    /// that is none; unsupported_seal for one of a later version, or with fewer or more rounds than the bounds;
    /// server_errc::key_not_found where there is none and none is to be made; those of etcd.
    /// Takes `terminal` cancellation. A timeout is for each call to etcd.
    template <class Token = default_token>
    auto key(Token&& token = {}) const {
        return detail::initiate<secret>(std::forward<Token>(token),
            [o = origin_, s = state_](detail::erased_handler<secret> h) mutable { start_key(o, std::move(s), std::move(h)); });
    }

    /// The id of that key for a ring: `name`, a hyphen and eight hex digits that every process with this key finds, and none with
    /// another. The name has 1 to 55 visible ASCII characters, else errc::invalid_argument. Otherwise as `key`.
    template <class Token = default_token>
    auto id(std::string name, Token&& token = {}) const {
        return detail::initiate<std::string>(std::forward<Token>(token),
            [o = origin_, s = state_, n = std::move(name)](detail::erased_handler<std::string> h) mutable {
                start_id(o, std::move(s), std::move(n), std::move(h));
            });
    }

    struct state;

private:
    DYNCONF_API static void start_key(detail::call_origin, std::shared_ptr<state>, detail::erased_handler<secret>);
    DYNCONF_API static void start_id(detail::call_origin, std::shared_ptr<state>, std::string name, detail::erased_handler<std::string>);

    std::shared_ptr<state> state_;
};

}  // namespace dynconf
