#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dynconf {

/// Which keys are looked for.
class key_pattern {
public:
    /// Keys that hold `part`.
    DYNCONF_API static key_pattern substring(std::string part);
    /// The whole key, byte by byte: `*` stands for any bytes, `?` for one, `[a-z]` and `[!a-z]` for one of a set, a
    /// backslash takes the next byte as it is. A `/` is a byte like any other. Throws std::invalid_argument for a set that
    /// does not end.
    DYNCONF_API static key_pattern glob(std::string pattern);
    /// Keys of which a part matches an ECMAScript regular expression. Throws std::invalid_argument with the cause for one
    /// that cannot be compiled.
    DYNCONF_API static key_pattern regex(const std::string& expression);
    /// Of a longer key a regular expression says nothing: the time for a hard one grows with the square of the key.
    static constexpr std::size_t most_regex_bytes = 4096;

    /// Throws std::runtime_error when a regular expression cannot tell: the key is longer than `most_regex_bytes`, or would
    /// take it too long.
    DYNCONF_API bool matches(std::string_view key) const;

    struct impl;

private:
    explicit key_pattern(std::shared_ptr<const impl> i) : impl_(std::move(i)) {}
    std::shared_ptr<const impl> impl_;
};

struct search_options {
    bool keys_only = false;
    std::size_t limit = 0;      ///< Matches; 0: all.
    revision_t revision = 0;    ///< 0: the newest.
};

struct search_response {
    response_header header;
    std::vector<key_value> kvs;   ///< In key order, all at the header's revision.
    std::vector<std::string> undecided;   ///< Keys of which the regular expression could not tell, see key_pattern::matches().
    bool more = false;            ///< The limit left matches out.
};

/// What a key was before.
struct key_history {
    /// The newest first. One whose `version` is 0 is a deletion, and has only the key and its `mod_revision`.
    std::vector<key_value> versions;
    bool complete = false;   ///< It reaches back to the first creation. Else the limit, a compaction or the bound cut it.
};

/// Looks for keys, and into their past. A handle; safe to use from any thread. All operations only read, take terminal and
/// total cancellation, and use several requests.
class search : public detail::facet<search> {
public:
    DYNCONF_API explicit search(const client& c);

    /// The keys of a range that match. etcd knows ranges alone, so that the whole range is read, in pages at one revision,
    /// and picked from here. That is done on the client's strand, in pieces of some milliseconds; a hard regular expression
    /// on a long key may take 0.2 s.
    template <class Token = default_token>
    auto find(key_range in, key_pattern what, search_options options = {}, Token&& token = {}) {
        return detail::initiate<search_response>(std::forward<Token>(token),
            [o = origin_, in = std::move(in), what = std::move(what), options](detail::erased_handler<search_response> h) mutable {
                start_find(o, std::move(in), std::move(what), options, std::move(h));
            });
    }

    /// How many revisions history() looks at in which the key did not exist.
    static constexpr std::size_t most_absent_revisions = 12'800;

    /// What a key was, at most `limit` versions and deletions (0: all), also before it was deleted, and when it does not exist
    /// now: as far back as etcd's history goes. A version costs a request. etcd cannot be asked when a key was deleted: there
    /// each revision is looked at, 128 in a request, `most_absent_revisions` at most. Empty when nothing was found.
    template <class Token = default_token>
    auto history(std::string key, std::size_t limit = 0, Token&& token = {}) {
        return detail::initiate<key_history>(std::forward<Token>(token),
            [o = origin_, key = std::move(key), limit](detail::erased_handler<key_history> h) mutable {
                start_history(o, std::move(key), limit, std::move(h));
            });
    }

private:
    using origin = detail::call_origin;
    DYNCONF_API static void start_find(origin, key_range, key_pattern, search_options, detail::erased_handler<search_response>);
    DYNCONF_API static void start_history(origin, std::string, std::size_t, detail::erased_handler<key_history>);
};

}  // namespace dynconf
