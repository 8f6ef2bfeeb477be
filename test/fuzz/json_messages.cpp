#include "fuzz/target.hpp"

#include "unit/wire/as_json.hpp"

#include "wire/decoder.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>

using namespace dynconf;
using namespace dynconf::wire;
using fuzz::promise;

namespace {

template <class Message>
std::string verdict(const result<Message>& r) {
    if (!r) return r.error().code.to_string();
    if constexpr (requires { test::as_json(*r); }) return test::as_json(*r).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return "a message";
}

template <class Message>
void refused_in_words(const result<Message>& r, bool sees_secret) {
    if (r) return;
    promise(r.error().code.failed() && !r.error().message().empty(), "a refusal without a reason");
    promise(r.error().detail.size() <= 400 && is_utf8(r.error().detail), "words not fit for a log");
    if (sees_secret && r.error() == errc::malformed_response) fuzz::keeps_secret(r.error().message());
}

template <class Message>
void decode(std::string_view bytes, std::uint8_t how, bool enveloped) {
    constexpr bool has_token = std::is_same_v<Message, authenticate_response>;
    const auto kind = enveloped ? decoder<Message>::envelope::result : decoder<Message>::envelope::none;
    decoder<Message> d(kind);
    d.write(bytes);
    const result<Message> whole = d.finish();
    refused_in_words(whole, has_token);

    // The same decoder: nothing stays of the message before.
    for (const std::string_view piece : fuzz::cut(bytes, how)) d.write(piece);
    const result<Message> pieces = d.finish();
    refused_in_words(pieces, has_token);
    if (verdict(whole) == verdict(pieces)) return;
    // How much was understood before the place where it is no JSON depends on the cuts; that there is one does not.
    const bool may_differ = !whole && !pieces && !nlohmann::json::accept(bytes);
    promise(may_differ, "the cuts change the message: " + verdict(whole) + " / " + verdict(pieces));
}

template <class... Messages>
void decode_one_of(unsigned which, std::string_view bytes, std::uint8_t how, bool enveloped) {
    constexpr unsigned all = 0x7f;
    unsigned i = 0;
    ((which == all || which % sizeof...(Messages) == i++ ? decode<Messages>(bytes, how, enveloped) : void()), ...);
}

}  // namespace

FUZZ_TARGET(json_messages) {
    const std::uint8_t first = in.byte(), how = in.byte();
    decode_one_of<range_response, put_response, delete_response, txn_response, status_response, watch_response, authenticate_response,
                  auth_status_response, role_names_response, user_list_response, role_get_response, lease_grant_response,
                  lease_keep_alive_response, lease_time_to_live_response, lease_leases_response, member_list_response,
                  member_add_response, hash_kv_response, downgrade_response, alarm_response, snapshot_response, health_response,
                  header_only_response>(first & 0x7f, in.rest(), how, (first & 0x80) != 0);
}
