//! The sandbox from outside, over HTTP: its answers against Belvo's specification, its data, its
//! misbehaviour.

mod contract;
mod control;
mod data;
mod events;
mod harness;
mod pages;
mod receiver;
mod resources;
mod retrievals;
mod rules;
mod rules_on_webhooks;
mod specification;
mod webhooks;
mod widget;
