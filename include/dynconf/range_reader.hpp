#pragma once

#include <dynconf/client.hpp>
#include <dynconf/detail/export.hpp>
#include <dynconf/detail/facet.hpp>
#include <dynconf/detail/initiate.hpp>
#include <dynconf/types.hpp>

#include <memory>
#include <optional>
#include <utility>

namespace dynconf {

/// A range page by page, all pages at one revision, however large it is:
///
///     range_reader pages(etcd, key_range::prefix("/app/"));
///     while (auto page = co_await pages.next())
///         for (const key_value& kv : page->kvs) ...
///
/// Pages have client_options::page_size keys; `range_options::limit` bounds the whole. A sorted range comes in one page.
/// One next() at a time; otherwise safe to use from any thread. A handle: a copy, and what `with_timeout` returns, is the same
/// reader; a timeout is for each page. To go on later, or elsewhere: a new reader of
/// `range.after(last key)` with the header's revision in its options.
class range_reader : public detail::facet<range_reader> {
public:
    DYNCONF_API range_reader(const client& c, key_range range, range_options options = {});

    /// The next page; none when that was all. In each page `count` is that of the whole range, the header's revision is
    /// that of all pages, and `more` says that the limit left keys out. server_errc::compacted when the revision was
    /// compacted meanwhile: start over. After any other error or a cancellation (terminal or total) the next call asks
    /// for the same page.
    template <class Token = default_token>
    auto next(Token&& token = {}) {
        return detail::initiate<std::optional<range_response>>(std::forward<Token>(token),
            [f = origin_, i = impl_](detail::erased_handler<std::optional<range_response>> h) { start_next(f, i, std::move(h)); });
    }

    struct impl;

private:
    DYNCONF_API static void start_next(detail::call_origin, std::shared_ptr<impl>, detail::erased_handler<std::optional<range_response>>);

    std::shared_ptr<impl> impl_;
};

}  // namespace dynconf
