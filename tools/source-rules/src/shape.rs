//! What is counted in the syntax of one file. What a macro is called with has no syntax, and so
//! nothing in it is counted.

use syn::{
    Block, ExprClosure, ExprMethodCall, FnArg, ImplItemFn, ItemFn, Local, Pat, Signature,
    TraitItemFn, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::source::Source;

/// A function with a body.
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line where its signature begins.
    pub(crate) line: usize,
    /// Lines from there to its closing brace.
    pub(crate) length: usize,
    /// Parameters, without `self`.
    pub(crate) parameters: usize,
}

/// The counts of one file or several, test code left out.
#[derive(Default)]
pub(crate) struct Shape {
    /// All functions.
    pub(crate) functions: Vec<Function>,
    /// Calls of `unwrap`.
    pub(crate) unwraps: usize,
    /// Calls of `expect`.
    pub(crate) expects: usize,
    /// Calls of `clone` and `cloned`.
    pub(crate) clones: usize,
    /// Plain `pub`, of items, methods, fields and re-exports.
    pub(crate) public_names: usize,
    /// Closures.
    pub(crate) closures: usize,
    /// `let … else`.
    pub(crate) let_elses: usize,
    /// `let (a, b) = …`.
    pub(crate) tuple_lets: usize,
}

impl Shape {
    /// Counts.
    pub(crate) fn of(source: &Source) -> Self {
        let mut shape = Self::default();
        shape.visit_file(&source.syntax);
        shape
    }

    fn function(&mut self, signature: &Signature, body: &Block) {
        let line = signature.span().start().line;
        let typed = |parameter: &&FnArg| matches!(parameter, FnArg::Typed(_));
        self.functions.push(Function {
            name: signature.ident.to_string(),
            line,
            length: body.span().end().line + 1 - line,
            parameters: signature.inputs.iter().filter(typed).count(),
        });
    }
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        match call.method.to_string().as_str() {
            "unwrap" => self.unwraps += 1,
            "expect" => self.expects += 1,
            "clone" | "cloned" => self.clones += 1,
            _ => {}
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_visibility(&mut self, visibility: &'ast Visibility) {
        let is_public = matches!(visibility, Visibility::Public(_));
        self.public_names += usize::from(is_public);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        self.closures += 1;
        visit::visit_expr_closure(self, closure);
    }

    fn visit_local(&mut self, local: &'ast Local) {
        let init = local.init.as_ref();
        let may_leave = init.is_some_and(|init| init.diverge.is_some());
        self.let_elses += usize::from(may_leave);
        self.tuple_lets += usize::from(is_tuple(&local.pat));
        visit::visit_local(self, local);
    }
}

fn is_tuple(pattern: &Pat) -> bool {
    match pattern {
        Pat::Tuple(_) => true,
        Pat::Type(typed) => is_tuple(&typed.pat),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Shape {
        Shape::of(&Source::parse("src/lib.rs", text.to_owned()).unwrap())
    }

    #[test]
    fn closures_let_elses_and_tuple_lets_are_counted() {
        let shape = shape(
            "fn f() {
                let Some(one) = first() else { return };
                let (a, b): (u8, u8) = pair();
                let (Some(c), d) = pair() else { return };
                let add = |x| move |y| x + y;
            }
            #[cfg(test)]
            fn g() { let (a, b) = (|| 1, || 2); }",
        );
        let found = (shape.closures, shape.let_elses, shape.tuple_lets);
        assert_eq!(found, (2, 2, 2));
    }

    #[test]
    fn a_function_is_as_long_as_from_its_signature_to_its_brace() {
        let shape = shape(
            "impl A {
                /// Not counted.
                #[must_use]
                pub fn f(&self, a: u8, b: u8)
                {
                    g();
                }
            }
            trait B { fn without_a_body(); }",
        );
        let function = &shape.functions[0];
        assert_eq!((function.line, function.length), (4, 4));
        assert_eq!((function.name.as_str(), function.parameters), ("f", 2));
        assert_eq!(shape.functions.len(), 1);
    }

    #[test]
    fn only_what_everybody_may_name_is_public() {
        let shape = shape("pub struct A { pub b: u8, pub(crate) c: u8, d: u8 } pub use e::F;");
        assert_eq!(shape.public_names, 3);
    }

    #[test]
    fn calls_are_counted_by_name() {
        let shape =
            shape("fn f() { a.unwrap(); b.expect(\"\"); c.clone(); d.cloned(); e.copied() }");
        assert_eq!((shape.unwraps, shape.expects, shape.clones), (1, 1, 2));
    }
}
