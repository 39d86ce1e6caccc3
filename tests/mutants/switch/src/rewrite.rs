//! Finds in a file the code that each mutant changes, and puts both behind its switch.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, ExprBinary, Stmt};

use crate::Result;
use crate::edit::{Edit, Piece};
use crate::mutant::{Genre, Mutant};

/// What a file becomes.
#[derive(Debug, Default)]
pub struct Rewritten {
    pub edits: Vec<Edit>,
    /// Mutants that no switch can turn on: they are in constants.
    pub constant: Vec<u32>,
    /// The mutants without a statement, and their numbers.
    pub statements: Vec<(u32, Mutant)>,
}

type Key = (Genre, usize, usize);

/// Puts `mutants` of the file `name` into its text, and those without a statement, which have
/// numbers from `next` on: all but the broken ones.
pub fn rewrite<'a>(
    name: &'a str,
    source: &'a str,
    mutants: impl Iterator<Item = (u32, &'a Mutant)>,
    next: u32,
    broken: &'a BTreeSet<u32>,
) -> Result<Rewritten> {
    let file = syn::parse_file(source).map_err(|error| format!("{name}: {error}"))?;
    let mut at: BTreeMap<Key, Vec<(u32, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in mutants.filter(|(number, _)| !broken.contains(number)) {
        let key = (mutant.genre, mutant.start.0, mutant.start.1);
        at.entry(key).or_default().push((number, mutant));
    }
    let mut rewriter = Rewriter {
        name,
        source,
        at,
        next,
        broken,
        functions: Vec::new(),
        constant: false,
        skipped: false,
        result: Rewritten::default(),
    };
    rewriter.visit_file(&file);
    let mut result = rewriter.result;
    let unseen = rewriter.at.into_values().flatten();
    result.constant.extend(unseen.map(|(number, _)| number));
    Ok(result)
}

struct Rewriter<'a> {
    name: &'a str,
    source: &'a str,
    /// The mutants that were not met yet.
    at: BTreeMap<Key, Vec<(u32, &'a Mutant)>>,
    next: u32,
    broken: &'a BTreeSet<u32>,
    /// The names of the functions and types around the code that is visited.
    functions: Vec<String>,
    /// In a constant.
    constant: bool,
    /// In code for tests, or for programmers: no statement is left out.
    skipped: bool,
    result: Rewritten,
}

fn bytes(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

fn text(text: impl Into<String>) -> Piece {
    Piece::Text(text.into())
}

fn switch(number: u32) -> String {
    format!("::mutant_switch::on({number})")
}

/// Whether one of the mutants is on.
fn any<'a>(of: impl Iterator<Item = &'a (u32, &'a Mutant)>) -> String {
    let on = of.map(|(number, _)| switch(*number)).collect::<Vec<_>>();
    if on.is_empty() {
        "false".to_owned()
    } else {
        on.join(" || ")
    }
}

/// `if SWITCH { CHANGED } else if ... else { UNCHANGED }`
fn choice(
    of: &[(u32, &Mutant)],
    changed: impl Fn(&Mutant) -> Vec<Piece>,
    unchanged: Vec<Piece>,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (number, mutant) in of {
        pieces.extend([text(format!("if {} {{ ", switch(*number))), Piece::Begin]);
        pieces.extend(changed(mutant));
        pieces.extend([Piece::End(*number), text(" } else ")]);
    }
    [pieces, vec![text("{ ")], unchanged, vec![text(" }")]].concat()
}

/// Whether the code is for tests or fuzzing alone.
fn for_tests(attributes: &[Attribute]) -> bool {
    let is = |attribute: &Attribute| {
        let meta = &attribute.meta;
        let named = |path: &syn::Path| path.is_ident("cfg") || path.is_ident("test");
        named(meta.path())
            && match meta {
                syn::Meta::List(list) => {
                    let tokens = list.tokens.to_string();
                    tokens.contains("test") || tokens.contains("fuzzing")
                }
                _ => true,
            }
    };
    attributes.iter().any(is)
}

impl<'a> Rewriter<'a> {
    /// The mutants of this genre whose changed code begins where `node` does. None in a
    /// constant, where they are noted.
    fn take(&mut self, genre: Genre, node: &impl Spanned) -> Vec<(u32, &'a Mutant)> {
        let start = node.span().start();
        let found = self.at.remove(&(genre, start.line, start.column + 1));
        let found = found.unwrap_or_default();
        if !self.constant {
            return found;
        }
        let numbers = found.iter().map(|(number, _)| *number);
        self.result.constant.extend(numbers);
        Vec::new()
    }

    /// Visits what is inside of an edit, then adds that, if there are mutants in it.
    fn edit(
        &mut self,
        range: Range<usize>,
        numbers: Vec<u32>,
        pieces: Vec<Piece>,
        inside: impl FnOnce(&mut Self),
    ) {
        if numbers.is_empty() {
            return inside(self);
        }
        let outer = std::mem::take(&mut self.result.edits);
        inside(self);
        let children = std::mem::replace(&mut self.result.edits, outer);
        self.result.edits.push(Edit {
            range,
            pieces,
            numbers,
            children,
        });
    }

    fn insert(&mut self, at: usize, numbers: Vec<u32>, pieces: Vec<Piece>) {
        self.edit(at..at, numbers, pieces, |_| {});
    }

    fn in_constant(&mut self, constant: bool, inside: impl FnOnce(&mut Self)) {
        let before = self.constant;
        self.constant |= constant;
        inside(self);
        self.constant = before;
    }

    /// A function: returns at once what a mutant has it return.
    fn function(&mut self, signature: &syn::Signature, block: &Block, attributes: &[Attribute]) {
        let skipped = self.skipped;
        self.skipped |= for_tests(attributes);
        self.functions.push(signature.ident.to_string());
        self.in_constant(signature.constness.is_some(), |this| {
            this.body(signature, block);
            this.visit_block(block);
        });
        self.functions.pop();
        self.skipped = skipped;
    }

    fn body(&mut self, signature: &syn::Signature, block: &Block) {
        let Some(first) = block.stmts.first() else {
            return;
        };
        let found = self.take(Genre::Body, first);
        if let syn::ReturnType::Type(_, of) = &signature.output
            && let syn::Type::ImplTrait(_) = &**of
        {
            // A function has only one type that it returns.
            let numbers = found.iter().map(|(number, _)| *number);
            return self.result.constant.extend(numbers);
        }
        let mut pieces = Vec::new();
        for (number, mutant) in &found {
            pieces.extend([text(format!("if {} {{ ", switch(*number))), Piece::Begin]);
            pieces.push(text(format!("return {};", mutant.replacement)));
            pieces.extend([Piece::End(*number), text(" } ")]);
        }
        self.insert(bytes(first).start, numbers(&found), pieces);
    }

    /// Each side is there once, or the compiler would need very long for nested ones: only the
    /// place that is assigned to is repeated.
    fn binary(&self, of: &[(u32, &Mutant)], node: &ExprBinary) -> Vec<Piece> {
        let (left, right) = (bytes(&node.left), bytes(&node.right));
        let (left, right) = (Piece::Source(left), Piece::Source(right));
        let operator = &self.source[bytes(&node.op)];
        let both = |reference: &str, value: &str| {
            let with =
                |operator: &str| vec![text(format!("{value}__left {operator} {value}__right"))];
            let start = text(format!("(match ({reference}("));
            let middle = text(format!("), {reference}("));
            let end = text(")) { (__left, __right) => ");
            let choice = choice(of, |mutant| with(&mutant.replacement), with(operator));
            [
                vec![start, left.clone(), middle, right.clone(), end],
                choice,
                vec![text(" })")],
            ]
            .concat()
        };
        match node.op {
            // The right side only if it is needed. A mutant of && is ||, and the other way round.
            BinOp::And(_) | BinOp::Or(_) => {
                let sign = if operator == "&&" { "!=" } else { "==" };
                let middle = format!("; if __left {sign} ({}) {{ ", any(of.iter()));
                let start = text("({ let __left: bool = ");
                vec![
                    start,
                    left,
                    text(middle),
                    right,
                    text(" } else { __left } })"),
                ]
            }
            // They take references.
            BinOp::Eq(_)
            | BinOp::Ne(_)
            | BinOp::Lt(_)
            | BinOp::Le(_)
            | BinOp::Gt(_)
            | BinOp::Ge(_) => both("&", "*"),
            _ if operator.ends_with('=') => {
                let with =
                    |operator: &str| vec![left.clone(), text(format!(" {operator} __right"))];
                let choice = choice(of, |mutant| with(&mutant.replacement), with(operator));
                let start = vec![text("(match ("), right, text(") { __right => ")];
                [start, choice, vec![text(" })")]].concat()
            }
            _ => both("", ""),
        }
    }

    /// Numbers the mutant without this statement, if it is one that has an effect of its own.
    fn without(&mut self, statement: &Expr, range: &Range<usize>) -> Option<u32> {
        let inner = match statement {
            Expr::Try(inner) => &*inner.expr,
            other => other,
        };
        let attributes = match statement {
            Expr::Call(call) => &call.attrs,
            Expr::MethodCall(call) => &call.attrs,
            Expr::Assign(assign) => &assign.attrs,
            Expr::Try(question) => &question.attrs,
            _ => return None,
        };
        let counts = matches!(inner, Expr::Call(_) | Expr::MethodCall(_) | Expr::Assign(_));
        if !counts || self.constant || self.skipped || !attributes.is_empty() {
            return None;
        }
        let words = self.source[range.clone()].split_whitespace();
        let mut shown = words.collect::<Vec<_>>().join(" ");
        if let Some((cut, _)) = shown.char_indices().nth(80) {
            shown.truncate(cut);
            shown.push_str("...");
        }
        let start = statement.span().start();
        let end = statement.span().end();
        let (name, function) = (self.name, self.functions.join("::"));
        let (line, column) = (start.line, start.column + 1);
        let number = self.next;
        self.next += 1;
        let mutant = Mutant {
            name: format!("{name}:{line}:{column}: delete statement {shown} in {function}"),
            file: name.to_owned(),
            genre: Genre::Statement,
            start: (line, column),
            end: (end.line, end.column + 1),
            replacement: String::new(),
        };
        self.result.statements.push((number, mutant));
        (!self.broken.contains(&number)).then_some(number)
    }
}

fn numbers(found: &[(u32, &Mutant)]) -> Vec<u32> {
    found.iter().map(|(number, _)| *number).collect()
}

/// Everything in these nodes is constant.
macro_rules! constant {
    ($($visit:ident $node:ident),*) => {$(
        fn $visit(&mut self, node: &'ast syn::$node) {
            self.in_constant(true, |this| visit::$visit(this, node));
        }
    )*};
}

impl<'ast> Visit<'ast> for Rewriter<'_> {
    fn visit_item_fn(&mut self, node: &'ast syn::ItemFn) {
        self.function(&node.sig, &node.block, &node.attrs);
    }

    fn visit_impl_item_fn(&mut self, node: &'ast syn::ImplItemFn) {
        self.function(&node.sig, &node.block, &node.attrs);
    }

    fn visit_trait_item_fn(&mut self, node: &'ast syn::TraitItemFn) {
        if let Some(block) = &node.default {
            self.function(&node.sig, block, &node.attrs);
        }
    }

    fn visit_item_impl(&mut self, node: &'ast syn::ItemImpl) {
        let of = &self.source[bytes(&*node.self_ty)];
        let (name, debug) = match &node.trait_ {
            Some((_, path, _)) => {
                let path = &self.source[bytes(path)];
                (format!("<impl {path} for {of}>"), path.ends_with("Debug"))
            }
            None => (of.to_owned(), false),
        };
        let skipped = self.skipped;
        self.skipped |= debug || for_tests(&node.attrs);
        self.functions.push(name);
        visit::visit_item_impl(self, node);
        self.functions.pop();
        self.skipped = skipped;
    }

    fn visit_item_mod(&mut self, node: &'ast syn::ItemMod) {
        let skipped = self.skipped;
        self.skipped |= for_tests(&node.attrs);
        visit::visit_item_mod(self, node);
        self.skipped = skipped;
    }

    constant! {
        visit_item_const ItemConst, visit_item_static ItemStatic, visit_expr_const ExprConst,
        visit_impl_item_const ImplItemConst, visit_trait_item_const TraitItemConst,
        visit_variant Variant, visit_type Type, visit_generic_argument GenericArgument,
        visit_pat Pat
    }

    fn visit_expr_repeat(&mut self, node: &'ast syn::ExprRepeat) {
        self.visit_expr(&node.expr);
        self.in_constant(true, |this| this.visit_expr(&node.len));
    }

    fn visit_stmt(&mut self, node: &'ast Stmt) {
        let inside = |this: &mut Self| visit::visit_stmt(this, node);
        let Stmt::Expr(statement, Some(_)) = node else {
            return inside(self);
        };
        let range = bytes(node);
        let expression = bytes(statement);
        let Some(number) = self.without(statement, &expression) else {
            return inside(self);
        };
        let pieces = vec![
            text(format!("if !{} {{ ", switch(number))),
            Piece::Source(expression),
            text("; }"),
        ];
        self.edit(range, vec![number], pieces, inside);
    }

    fn visit_expr_binary(&mut self, node: &'ast ExprBinary) {
        let found = self.take(Genre::Binary, &node.op);
        let pieces = self.binary(&found, node);
        let range = bytes(&node.left).start..bytes(&node.right).end;
        let inside = |this: &mut Self| visit::visit_expr_binary(this, node);
        self.edit(range, numbers(&found), pieces, inside);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let found = self.take(Genre::Unary, &node.op);
        let operator = &self.source[bytes(&node.op)];
        let unchanged = vec![text(format!("{operator}__value"))];
        let start = vec![
            text("(match ("),
            Piece::Source(bytes(&*node.expr)),
            text(") { __value => "),
        ];
        let choice = choice(&found, |_| vec![text("__value")], unchanged);
        let pieces = [start, choice, vec![text(" })")]].concat();
        let range = bytes(&node.op).start..bytes(&*node.expr).end;
        let inside = |this: &mut Self| visit::visit_expr_unary(this, node);
        self.edit(range, numbers(&found), pieces, inside);
    }

    fn visit_expr_match(&mut self, node: &'ast syn::ExprMatch) {
        let range = bytes(node);
        let starts = node.arms.iter().rev().map(|arm| arm.span().start());
        let keys = starts.map(|start| (Genre::Arm, start.line, start.column + 1));
        // If what is left of the arms does not cover all values, the last one is to blame.
        let last = keys.filter_map(|key| self.at.get(&key)).flatten().next();
        let last = last.map(|(number, _)| *number).into_iter().collect();
        let pieces = vec![Piece::Source(range.clone())];
        let inside = |this: &mut Self| visit::visit_expr_match(this, node);
        self.edit(range, last, pieces, inside);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let found = self.take(Genre::Arm, node);
        if let Some((number, _)) = found.first() {
            let pieces = vec![text(format!(" if !{}", switch(*number)))];
            self.insert(bytes(&node.pat).end, numbers(&found), pieces);
        }
        let Some((_, guard)) = &node.guard else {
            return visit::visit_arm(self, node);
        };
        let found = self.take(Genre::Guard, &**guard);
        let on = |with| {
            any(found
                .iter()
                .filter(|(_, mutant)| mutant.replacement == with))
        };
        let pieces = vec![
            text(format!("({} || !({}) && (", on("true"), on("false"))),
            Piece::Source(bytes(&**guard)),
            text("))"),
        ];
        self.edit(bytes(&**guard), numbers(&found), pieces, |this| {
            this.visit_expr(guard)
        });
        self.visit_pat(&node.pat);
        self.visit_expr(&node.body);
    }

    fn visit_expr_struct(&mut self, node: &'ast syn::ExprStruct) {
        let Some(rest) = &node.rest else {
            return visit::visit_expr_struct(self, node);
        };
        let base = &self.source[bytes(&**rest)];
        let path = &self.source[bytes(&node.path)];
        for field in &node.fields {
            let found = self.take(Genre::Field, field);
            let member = &self.source[bytes(&field.member)];
            // The type of the base may follow from that of the struct alone.
            let base = match &**rest {
                Expr::Path(_) => format!("({base}).{member}"),
                _ => format!("({path} {{ ..{base} }}).{member}"),
            };
            let unchanged = vec![Piece::Source(bytes(&field.expr))];
            let choice = choice(&found, |_| vec![text(base.clone())], unchanged);
            let pieces = [vec![text(format!("{member}: "))], choice].concat();
            let inside = |this: &mut Self| this.visit_expr(&field.expr);
            self.edit(bytes(field), numbers(&found), pieces, inside);
        }
        self.visit_expr(rest);
    }
}

#[cfg(test)]
mod tests;
