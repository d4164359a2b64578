// refused with: E0451|E0063
#![allow(unused)]


pub fn forge(other: keystead_api_table::Route) -> keystead_api_table::Route {
    keystead_api_table::Route { ..other }
}
